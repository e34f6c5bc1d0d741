// CHILD-SAFE: the files by which tools find a process: the socket of the diagnostics server (dotnet-diagnostic-PID-KEY-socket) and the pipes of the
// debugger's transport (clr-debug-pipe-PID-KEY-in and -out). The runtime removes them at its end, by the names that it has noted: so would a child its
// parent's, not only with Environment.Exit, also when it crashes or gets a SIGTERM. So the names are found once, before the first fork, and are empty
// in a child. They lie in the C heap: a sockaddr_un, and arrays within the transport.
#include "engine.h"

#include <string.h>

enum { LONGEST_NAME = 256, MOST_NAMES = 8, WANTED_NAMES = 3, WINDOW = 65536 };
static const int64_t most_searched = 256 << 20;

typedef struct { char *place; int length; char text[LONGEST_NAME]; } noted_name;
SM_TABLE static noted_name names[MOST_NAMES];
static int name_count;

// "PID-KEY" and one of the ends, with its terminating zero: how long; else 0.
static int rest_length(const char *at, const char *end, int process)
{
    static const char *const ends[] = { "-socket", "-in", "-out" };
    const char *start = at;
    if (at == end || sm__parse(&at, 10) != process || at + 1 >= end || *at++ != '-')
        return 0;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(ends[i]);
        if ((size_t)(end - at) > length && memcmp(at, ends[i], length + 1) == 0)
            return (int)(at - start) + (int)length;
    }
    return 0;
}

static void note(const char *place, const char *text, int length)
{
    for (int i = 0; i < name_count; i++)
        if (names[i].place == place)
            return;
    if (name_count == MOST_NAMES)
        return;
    names[name_count].place = (char *)place;
    names[name_count].length = length;
    memcpy(names[name_count].text, text, (size_t)length);
    name_count++;
}

// A name may be here: its folder stands before it, its rest behind. A socket's is a sockaddr_un.
static void look_at(const char *window, const char *end, const char *name, const char *base, int process)
{
    static const char socket_name[] = "dotnet-diagnostic-", pipe_name[] = "clr-debug-pipe-";
    int is_socket = *name == 'd';
    size_t length = is_socket ? sizeof socket_name - 1 : sizeof pipe_name - 1;
    if ((size_t)(end - name) <= length + 32 || memcmp(name, is_socket ? socket_name : pipe_name, length) != 0)
        return;
    int rest = rest_length(name + length, end, process);
    const char *start = name;
    while (start > window && start[-1] >= ' ' && start[-1] < 0x7f)
        start--;
    int total = (int)(name - start) + (int)length + rest;
    if (rest == 0 || *start != '/' || start == name || total >= LONGEST_NAME || (is_socket && (start < window + 2 || start[-2] != 1 || start[-1] != 0)))
        return;
    note(base + (start - window), start, total);
}

static void search_window(const char *window, size_t size, const char *base, int process)
{
    for (int first = 0; first < 2; first++)
        for (const char *at = window; (at = memchr(at, first ? 'c' : 'd', (size_t)(window + size - at))); at++)
            look_at(window, window + size, at, base, process);
}

static void search(const sm_mapping *mapping, int process)
{
    SM_TABLE static char window[WINDOW];
    for (char *at = mapping->start; at < mapping->end && name_count < WANTED_NAMES; at += WINDOW - 2 * LONGEST_NAME) {
        size_t size = (size_t)(mapping->end - at) < WINDOW ? (size_t)(mapping->end - at) : WINDOW;
        if (sm__peek(at, window, size))
            search_window(window, size, at, process);
    }
}

// The C heap, and the regions of 64 MB in which malloc has its other arenas.
static int may_be_of_malloc(const sm_mapping *mapping)
{
    enum { REGION = 64 << 20 };
    return mapping->read && mapping->write && !mapping->shared
        && (mapping->heap || (mapping->inode == 0 && (uintptr_t)mapping->start % REGION == 0 && mapping->end - mapping->start <= REGION));
}

void sm__locate_diagnostics(void)
{
    int64_t searched = 0;
    if (name_count > 0 || sm__read_ranges() < 0)
        return;
    for (int i = 0; i < sm__mapping_count && searched < most_searched && name_count < WANTED_NAMES; i++)
        if (may_be_of_malloc(&sm__mappings[i])) {
            search(&sm__mappings[i], (int)syscall(SYS_getpid));
            searched += sm__mappings[i].end - sm__mappings[i].start;
        }
}

void sm__forget_diagnostics(void)
{
    char now[LONGEST_NAME];
    for (int i = 0; i < name_count; i++)
        if (sm__peek(names[i].place, now, (size_t)names[i].length) && memcmp(now, names[i].text, (size_t)names[i].length) == 0)
            *names[i].place = 0;
}
