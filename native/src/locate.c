// Where this runtime keeps what a child must repair (docs/fork-safety.md, rows 1 to 4): found by a checked search, never by offsets that
// belong to one build. Whatever is not found exactly once is a reason to refuse.
#include "engine.h"

#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>

// Their oldest versions, which every glibc has: it took them over from libpthread in 2.34 under new ones, for the same functions.
#ifdef __x86_64__
#define SM_OLDEST(function) __asm__(".symver " #function "," #function "@GLIBC_2.2.5")
SM_OLDEST(pthread_mutex_trylock);
SM_OLDEST(pthread_mutex_timedlock);
SM_OLDEST(pthread_rwlock_wrlock);
SM_OLDEST(pthread_rwlock_trywrlock);
SM_OLDEST(pthread_rwlock_unlock);
#endif

sm_engine sm__engine = { .signal_pipe = -1, .synch_pipe = -1, .tid_offset = -1 };

// The writable data of a library without its RELRO part (which holds over a thousand words that look like process ids, and is read-only).
static void note_module(const struct dl_phdr_info *info, sm_range *data, sm_range *text)
{
    char *base = (char *)info->dlpi_addr, *relro_end = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
            relro_end = base + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        char *start = base + segment->p_vaddr, *end = start + segment->p_memsz;
        if (segment->p_type != PT_LOAD)
            continue;
        if (segment->p_flags & PF_X)
            *text = (sm_range){ start, end };
        if (segment->p_flags & PF_W && end > relro_end)
            *data = (sm_range){ start < relro_end ? relro_end : start, end };
    }
}

static int visit_module(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size; (void)context;
    const char *name = strrchr(info->dlpi_name, '/');
    if (name && strcmp(name, "/libcoreclr.so") == 0)
        note_module(info, &sm__engine.core, &sm__engine.core_text);
    if (name && strcmp(name, "/libSystem.Native.so") == 0)
        note_module(info, &sm__engine.system, &sm__engine.system_text);
    return 0;
}

static int is_near(const char *one, const char *other)
{
    enum { LARGEST = 1 << 17 };
    return one - other <= LARGEST && other - one <= LARGEST;
}

// From the first to the last of glibc's functions that write or compare the owner of a lock. They stand together, with the hidden ones that they call. Some may be
// those of a sanitizer or profiler, which stand elsewhere and call glibc's: what counts is where most of them are.
void sm__locate_lock_code(void)
{
    char *const functions[] = { (char *)pthread_mutex_lock, (char *)pthread_mutex_trylock, (char *)pthread_mutex_timedlock, (char *)pthread_mutex_unlock,
                                (char *)pthread_rwlock_wrlock, (char *)pthread_rwlock_trywrlock, (char *)pthread_rwlock_unlock, (char *)pthread_cond_wait };
    enum { COUNT = sizeof functions / sizeof *functions, LONGEST_FUNCTION = 2048 };
    for (int i = 0, most = 0; i < COUNT; i++) {
        sm_range code = { functions[i], functions[i] };
        int together = 0;
        for (int j = 0; j < COUNT; j++) {
            if (!is_near(functions[i], functions[j]))
                continue;
            together++;
            code.start = functions[j] < code.start ? functions[j] : code.start;
            code.end = functions[j] > code.end ? functions[j] : code.end;
        }
        if (together > most) {
            most = together;
            sm__engine.lock_code = (sm_range){ code.start, code.end + LONGEST_FUNCTION };
        }
    }
}

static int is_readable(const void *address, size_t size)
{
    char byte;
    struct iovec local = { &byte, 1 }, first = { (void *)address, 1 }, last = { (char *)address + size - 1, 1 };
    long process = syscall(SYS_getpid);
    return syscall(SYS_process_vm_readv, process, &local, 1, &first, 1, 0) == 1 && syscall(SYS_process_vm_readv, process, &local, 1, &last, 1, 0) == 1;
}

// An entry of the table below: a thread's id (or what a fork has made of it: revive.c, new_entry) with the address of its Thread, or nothing.
static int is_thread_entry(size_t tid, const char *thread)
{
    enum { SMALLEST_ADDRESS = 1 << 16, LARGEST_ID = 1 << 22 };
    const size_t frozen = (size_t)1 << 40;
    uintptr_t address = (uintptr_t)thread;
    return (tid <= LARGEST_ID || (tid > frozen && tid - frozen <= LARGEST_ID))
        && (address == 0 || (address >= SMALLEST_ADDRESS && address < (uintptr_t)1 << 47 && address % 8 == 0));
}

// The head of the list of {OS thread id, Thread*} tables that the runtime's activation handler reads. Ours is in it, with our Thread. Every entry is
// looked at, the empty ones too: a pointer to something that lies right before or behind the table in memory sees the same threads, but also what malloc
// keeps between the two. (One start of a web server in a hundred.)
static int is_thread_map(const struct sm_thread_map *map, size_t self, const char *self_thread)
{
    int hits = 0;
    if (!is_readable(map, sizeof *map))
        return 0;
    for (int i = 0; i < 256; i++) {
        if (!is_thread_entry(map->entries[i].tid, map->entries[i].thread))
            return 0;
        if (map->entries[i].tid == self && map->entries[i].thread == self_thread)
            hits++;
    }
    return hits == 1;
}

static int locate_thread_map(void)
{
    size_t self = (size_t)syscall(SYS_gettid);
    const char *thread = sm__managed_thread_of((int)self);
    int found = 0;
    for (char *at = sm__engine.core.start; thread && at + sizeof(void *) <= sm__engine.core.end; at += sizeof(void *)) {
        uintptr_t value = *(uintptr_t *)at;
        if (value < 4096 || value & 15 || value > 0x7fffffffffffu || !is_thread_map((struct sm_thread_map *)value, self, thread))
            continue;
        sm__engine.thread_map = (struct sm_thread_map **)at;
        found++;
    }
    if (found != 1)
        sm__engine.thread_map = NULL;
    return found;
}

static int is_within(const sm_range *range, const unsigned char *address)
{
    return address >= (const unsigned char *)range->start && address < (const unsigned char *)range->end;
}

// `call` to getpid: directly, or through an entry of the linkage table that jumps to it.
static int calls_getpid(const unsigned char *call)
{
    int32_t displacement;
    memcpy(&displacement, call + 1, 4);
    const unsigned char *target = call + 5 + displacement;
    if (!is_within(&sm__engine.core_text, target) && !is_within(&sm__engine.system_text, target))
        return 0;
    if (target[0] != 0xff || target[1] != 0x25)                                            // jmp *slot(%rip)
        return 0;
    memcpy(&displacement, target + 2, 4);
    return *(void *const *)(target + 6 + displacement) == (void *)getpid;
}

// Where the code behind a call stores its result, or NULL.
static const int *stored_to(const unsigned char *next)
{
    int32_t displacement;
    if (next[0] == 0x89 && next[1] == 0x05) {                                              // mov %eax, place(%rip)
        memcpy(&displacement, next + 2, 4);
        return (const int *)(next + 6 + displacement);
    }
    if (next[0] == 0x48 && next[1] == 0x8d && next[7] == 0x89) {                           // lea place(%rip), %reg; mov %eax, (%reg)
        memcpy(&displacement, next + 3, 4);
        return (const int *)(next + 7 + displacement);
    }
    return NULL;
}

// The places in data that hold the process id and into which code stores what getpid returned: the runtime's own initialisation. With a small
// id (1 in a container) the value alone matches thousands of words, and even with the session id behind it more than one.
static int stored_places(const sm_range *data, const sm_range *text, int process, int **place)
{
    int found = 0;
    for (const unsigned char *at = (const unsigned char *)text->start; at + 24 < (const unsigned char *)text->end; at++) {
        const int *stored = at[0] == 0xe8 ? stored_to(at + 5) : NULL;
        if (!stored || (const char *)stored < data->start || (const char *)(stored + 2) > data->end || *stored != process || stored == *place)
            continue;
        if (calls_getpid(at)) {
            *place = (int *)stored;
            found++;
        }
    }
    return found;
}

// The one int in data that holds the process id (followed by the session id if paired), or NULL. Code decides; where none is recognised (another
// compiler), a value decides that is too large to be there by chance and is there once.
static int *locate_pid(const sm_range *data, const sm_range *text, int process, int paired, int *found)
{
    enum { UNLIKELY_BY_CHANCE = 4095 };
    int session = (int)syscall(SYS_getsid, 0), matches = 0, *only = NULL, *stored = NULL;
    for (char *at = (char *)(((uintptr_t)data->start + 3) & ~(uintptr_t)3); data->start && at + 8 <= data->end; at += 4) {
        int *place = (int *)at;
        if (place[0] == process && (!paired || place[1] == session)) {
            matches++;
            only = place;
        }
    }
    *found = matches ? stored_places(data, text, process, &stored) : 0;
    if (*found == 1)
        return stored;
    if (*found == 0 && matches == 1 && process > UNLIKELY_BY_CHANCE)
        return only;
    *found = *found ? *found : matches;
    return NULL;
}

// libSystem.Native learns its own process id when signal handling is first used, which may be after us: looked for until it is there.
// Text is read only for values that match, so an absent id costs one pass over a few hundred bytes.
int sm__locate_pids(void)
{
    sm_engine *engine = &sm__engine;
    int process = (int)syscall(SYS_getpid), found = 0;
    if (!engine->core_pid)
        engine->core_pid = locate_pid(&engine->core, &engine->core_text, process, 1, &found);
    if (!engine->core_pid)
        return found ? found : -1;
    if (!engine->system_pid)
        engine->system_pid = locate_pid(&engine->system, &engine->system_text, process, 0, &found);
    return 0;
}

int sm__locate(char *why, int why_size)
{
    sm_text text = { why, why_size, 0 };
    if (sm__engine.core_pid && sm__engine.thread_map)
        return 0;
    dl_iterate_phdr(visit_module, NULL);
    if (!sm__engine.core.start || !sm__engine.system.start) {
        sm__text(&text, "libcoreclr.so and libSystem.Native.so are not loaded as libraries of their own (single-file application?)");
        return -ENOENT;
    }
    int found = locate_thread_map();
    if (found != 1 && sm__engine.needs_thread_map) {
        sm__text(&text, "this runtime's thread map was found ");
        sm__number(&text, found);
        sm__text(&text, " times instead of once");
        return -ENOTSUP;
    }
    found = sm__locate_pids();
    if (found != 0) {
        sm__text(&text, "the place where this runtime keeps its process id was found ");
        sm__number(&text, found < 0 ? 0 : found);
        sm__text(&text, " times instead of once");
        return -ENOTSUP;
    }
    return 0;
}
