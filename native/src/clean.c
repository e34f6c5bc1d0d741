// CHILD-SAFE: pages of assemblies that nobody has written to. An image of a managed assembly is mapped so that parts of it can be written, and as soon as one page of such
// a part was, a fork copies the entries of all its pages, and the end of the child removes them: two and a half megabytes, of which a child touches a few pages. Those that are
// still the file's are dropped once, in a parent that forks again and again; who needs one finds it in the page cache.
//
// Only while every other thread is parked: a page that is written between the look at it and its dropping would be lost.
#include "engine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, ENTRIES = 256 };

static int is_untouched(uint64_t entry)
{
    const uint64_t present = 1ull << 63, of_file = 1ull << 61;
    return (entry & (present | of_file)) == (present | of_file);
}

static void drop_untouched(int pagemap, char *start, char *end)
{
    uint64_t entries[ENTRIES];
    while (start < end) {
        size_t wanted = (size_t)(end - start) / PAGE < ENTRIES ? (size_t)(end - start) / PAGE : ENTRIES;
        long got = syscall(SYS_pread64, pagemap, entries, wanted * sizeof *entries, (off_t)((uintptr_t)start / PAGE * sizeof *entries)) / (long)sizeof *entries;
        if (got <= 0)
            return;
        for (long i = 0, run; i < got; i = run + 1) {
            for (run = i; run < got && is_untouched(entries[run]); run++) {}
            if (run > i)
                syscall(SYS_madvise, start + i * PAGE, (size_t)(run - i) * PAGE, MADV_DONTNEED);
        }
        start += got * PAGE;
    }
}

// One line of /proc/self/maps: a part of an assembly that may be written, and is this process's own.
static void drop_line(int pagemap, const char *line, const char *line_end)
{
    char *start = (char *)sm__parse(&line, 16);
    line++;
    char *end = (char *)sm__parse(&line, 16);
    if (line_end - line > 5 && memcmp(line + 1, "rw-p", 4) == 0 && memcmp(line_end - 4, ".dll", 4) == 0)
        drop_untouched(pagemap, start, end);
}

static void drop_untouched_pages(void)
{
    char buffer[4096 + 1];
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), used = 0;
    for (ssize_t got; pagemap >= 0 && maps >= 0 && (got = read(maps, buffer + used, sizeof buffer - 1 - (size_t)used)) > 0;) {
        char *line = buffer, *end;
        used += (int)got;
        for (; (end = memchr(line, '\n', (size_t)(buffer + used - line))); line = end + 1)
            drop_line(pagemap, line, end);
        used -= (int)(line - buffer);
        memmove(buffer, line, (size_t)used);
    }
    if (maps >= 0)
        close(maps);
    if (pagemap >= 0)
        close(pagemap);
}

// A server whose threads are parked for many forks, each time; any other process at its second fork, since the first may be the only one, and now and then: they come back when they are read.
void sm__clean(const sm_run *run)
{
    enum { FORKS_BETWEEN = 64, SECOND = 1 };
    static unsigned forks;
    if (run->options->flags & SM_FORK_HOLD || (!(run->options->flags & SM_FORK_CANARY) && forks++ % FORKS_BETWEEN == SECOND))
        drop_untouched_pages();
}
