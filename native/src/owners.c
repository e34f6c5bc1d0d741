// CHILD-SAFE: locks that a thread held when it was parked. glibc notes in a lock the id of the thread that owns it, and a revived thread has
// a new id: unlocking a recursive mutex of its own (CoreCLR's Crst) would fail, and everybody else would wait for ever. So the old ids are
// replaced, wherever native locks live: data of libraries, the C heap and the arenas of malloc. The GC heap holds none, and is many
// times larger: it is never read, so the cost does not grow with it.
//
// A thread that waits may hold some as well as one that runs: one in a static constructor, or the one that collects garbage.
//
// Only locks whose owner glibc ever looks at are touched, and only where all their 40 or 56 bytes are those of one that is held: in a container, where ids
// are as small as any counter, less than that matches data of all kinds ({1, 2, 5, 4, 3} for one).
#include "engine.h"

#include <string.h>

enum { LOCKED = 1, LOCKED_WITH_WAITERS = 2, MAX_RECURSION = 64, MAX_USERS = 4096, RECURSIVE = 1, CHECKING = 2, BETWEEN_PROCESSES = 0x80 };

// glibc's pthread_mutex_t on 64-bit systems. The links are those of robust mutexes, whose lock word is the owner: they are none of these.
typedef struct { uint32_t lock, recursion; int32_t owner; uint32_t users; int32_t kind; uint32_t spins; uint64_t links[2]; } mutex;

// glibc's pthread_rwlock_t, which a writer releases as a reader if the id is not its own.
typedef struct { uint32_t readers, writers, write_phase, writer_futex, padding[2]; int32_t writer, shared; uint64_t elision, padding2; uint32_t flags; } rwlock;
_Static_assert(sizeof(mutex) == 40 && offsetof(rwlock, writer) == 24 && offsetof(rwlock, flags) == 48, "as glibc has them");

// A parked thread's id can only be looked up fast if the ids are few or hashed: one word of bits says "certainly none of them" for most.
static uint64_t id_filter[64];

static void build_filter(const sm_run *run)
{
    memset(id_filter, 0, sizeof id_filter);
    for (int i = 0; i <= sm__slot_count; i++) {
        int tid = i < sm__slot_count ? atomic_load(&sm__slots[i].tid) : run->caller;
        id_filter[(tid >> 6) & 63] |= 1ull << (tid & 63);
    }
}

static int may_be_id(int32_t value)
{
    return value > 0 && (id_filter[(value >> 6) & 63] >> (value & 63) & 1);
}

static int new_id_of(const sm_run *run, int32_t old)
{
    if (old == run->caller)
        return (int)syscall(SYS_gettid);
    const sm_slot *slot = sm__slot_of(old);
    return slot && atomic_load(&slot->state) == SM_SLOT_PARKED ? slot->new_tid : 0;
}

SM_UNSANITIZED static int looks_owned(const mutex *candidate)
{
    int kind = candidate->kind & ~BETWEEN_PROCESSES;
    return (candidate->lock == LOCKED || candidate->lock == LOCKED_WITH_WAITERS) && may_be_id(candidate->owner)
        && ((kind == RECURSIVE && candidate->recursion >= 1 && candidate->recursion <= MAX_RECURSION) || (kind == CHECKING && candidate->recursion == 0))
        && candidate->users >= 1 && candidate->users <= MAX_USERS && candidate->spins == 0 && !candidate->links[0] && !candidate->links[1];
}

SM_UNSANITIZED static int looks_written(const rwlock *candidate)
{
    enum { WRITE_PHASE_AND_LOCKED = 3, READERS = 3, MAX_FUTEX = 3 };
    return (candidate->readers & 7) == WRITE_PHASE_AND_LOCKED && candidate->readers >> READERS <= MAX_USERS && may_be_id(candidate->writer)
        && candidate->writers <= MAX_USERS && (candidate->write_phase & 1) && candidate->write_phase <= MAX_FUTEX && (candidate->writer_futex & 1)
        && candidate->writer_futex <= MAX_FUTEX && !candidate->padding[0] && !candidate->padding[1] && (candidate->shared == 0 || candidate->shared == 1)
        && !candidate->elision && !candidate->padding2 && candidate->flags <= 2;
}

static uint32_t rewrite_owner(const sm_run *run, int32_t *owner)
{
    int id = new_id_of(run, *owner);
    if (id <= 0)
        return 0;
    *owner = id;
    return 1;
}

// The first eight bytes of a held mutex are two small numbers (how it is locked, how often), and so are those of a lock held for writing (three and
// perhaps readers, waiting writers): one comparison rejects nearly every word, zero among them.
static int may_begin_lock(uint64_t word)
{
    return word - 1 < ((uint64_t)(MAX_USERS + 1) << 32) && (uint32_t)word - 1 < 8 * MAX_USERS + 8;
}

// What this reads is cold, and the processor alone fetches too little of it ahead: asked to, it takes a third less time.
SM_UNSANITIZED static uint32_t rewrite_range(const sm_run *run, char *start, char *end)
{
    enum { LINE = 64, AHEAD = 1024 };
    uint32_t rewritten = 0;
    for (char *at = start; at + sizeof(mutex) <= end; at += 8) {
        if ((uintptr_t)at % LINE == 0)
            __builtin_prefetch(at + AHEAD);
        if (__builtin_expect(!may_begin_lock(*(uint64_t *)at), 1))
            continue;
        if (looks_owned((mutex *)at))
            rewritten += rewrite_owner(run, &((mutex *)at)->owner);
        else if (at + sizeof(rwlock) <= end && looks_written((rwlock *)at))
            rewritten += rewrite_owner(run, &((rwlock *)at)->writer);
    }
    return rewritten;
}

// malloc's arenas beside the main one lie in regions of 64 MB, aligned to that, and begin with a pointer to their arena, which lies in such
// a region too.
SM_UNSANITIZED static int is_malloc_arena(const sm_mapping *mapping)
{
    enum { REGION = 64 << 20 };
    if ((uintptr_t)mapping->start % REGION || mapping->end - mapping->start > REGION || mapping->end - mapping->start < 4096)
        return 0;
    uintptr_t arena = *(const uintptr_t *)mapping->start;
    return arena % REGION != 0 && arena % REGION < 4096;
}

// The part of a library's zeroed data (.bss) that is not in its file is an anonymous mapping right behind the file's.
static int is_bss(int index)
{
    const sm_mapping *mapping = &sm__mappings[index], *before = mapping - 1;
    return index > 0 && mapping->inode == 0 && before->inode != 0 && before->end == mapping->start && !before->shared;
}

static int holds_a_stack(const sm_mapping *mapping)
{
    char here;
    for (int i = 0; i < sm__slot_count; i++)
        if (sm__slots[i].stack >= (uint64_t)mapping->start && sm__slots[i].stack < (uint64_t)mapping->end)
            return 1;
    return &here >= mapping->start && &here < mapping->end;
}

// The runtime's loader heaps: types, modules and their locks. Under W^X they are mappings of the code file (of which this child has its own
// by now); else anonymous memory where relative calls reach it, within 2 GB of the runtime's code. The GC heap is a reservation elsewhere, and
// mappings of its size are left out. Without them: 2 hangs in 220 forks beside threads that compile, all threads waiting for a lock whose
// owner had another id.
static int is_loader_heap(const sm_mapping *mapping)
{
    enum { LARGEST = 32 << 20 };
    const int64_t reach = (int64_t)1 << 31;
    int64_t distance = (int64_t)((intptr_t)mapping->start - (intptr_t)sm__engine.core.start);
    return mapping->inode == 0 && sm__engine.core.start && mapping->end - mapping->start <= LARGEST && distance < reach && distance > -reach
        && !holds_a_stack(mapping);
}

static int holds_native_locks(int index)
{
    const sm_mapping *mapping = &sm__mappings[index];
    if (!mapping->read || !mapping->write || (mapping->shared && !mapping->code))
        return 0;
    return mapping->code || (mapping->inode != 0 && !mapping->managed) || mapping->heap || is_bss(index) || is_malloc_arena(mapping) || is_loader_heap(mapping);
}

// Without the engine's own tables: they hold ids beside small numbers, and most of their pages have never been touched.
static uint32_t rewrite_without(const sm_run *run, char *start, char *end, const sm_range *tables, int count)
{
    if (count == 0)
        return rewrite_range(run, start, end);
    char *table = tables->start, *table_end = tables->end;
    if (table_end <= start || table >= end)
        return rewrite_without(run, start, end, tables + 1, count - 1);
    uint32_t rewritten = start < table ? rewrite_without(run, start, table, tables + 1, count - 1) : 0;
    return rewritten + (end > table_end ? rewrite_without(run, table_end, end, tables + 1, count - 1) : 0);
}

// What the pages of this process hold. The copy of the code file has just been mapped: no page of it is there yet, and all of it was written.
static uint32_t rewrite_mapping(const sm_run *run, const sm_mapping *mapping, sm_pages *pages, const sm_range *tables, int count)
{
    uint32_t rewritten = 0;
    if (mapping->code)
        return rewrite_without(run, mapping->start, mapping->end, tables, count);
    sm__pages_of(pages, mapping->start, mapping->end);
    for (sm_range run_of_pages; sm__next_pages(pages, &run_of_pages);)
        rewritten += rewrite_without(run, run_of_pages.start, run_of_pages.end, tables, count);
    return rewritten;
}

uint32_t sm__rewrite_owners(sm_run *run)
{
    static sm_pages pages;
    const sm_range tables[] = { { (char *)sm__slots, (char *)(sm__slots + SM_MAX_THREADS) }, { (char *)sm__mappings, (char *)(sm__mappings + SM_MAX_RANGES) } };
    uint32_t rewritten = 0;
    build_filter(run);
    sm__open_pages(&pages);
    for (int i = 0; i < sm__mapping_count; i++)
        if (holds_native_locks(i))
            rewritten += rewrite_mapping(run, &sm__mappings[i], &pages, tables, 2);
    sm__close_pages(&pages);
    return rewritten;
}
