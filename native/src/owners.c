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

#include <emmintrin.h>
#include <string.h>

enum { LOCKED = 1, LOCKED_WITH_WAITERS = 2, MAX_RECURSION = 64, MAX_USERS = 4096, RECURSIVE = 1, CHECKING = 2, BETWEEN_PROCESSES = 0x80 };

// glibc's pthread_mutex_t on 64-bit systems. The links are those of robust mutexes, whose lock word is the owner: they are none of these.
typedef struct { uint32_t lock, recursion; int32_t owner; uint32_t users; int32_t kind; uint32_t spins; uint64_t links[2]; } mutex;

// glibc's pthread_rwlock_t, which a writer releases as a reader if the id is not its own.
typedef struct { uint32_t readers, writers, write_phase, writer_futex, padding[2]; int32_t writer, shared; uint64_t elision, padding2; uint32_t flags; } rwlock;
_Static_assert(sizeof(mutex) == 40 && offsetof(rwlock, writer) == 24 && offsetof(rwlock, flags) == 48, "as glibc has them");

// The ids whose owners have new ones: from the lowest to the highest, and one word of bits, that says "certainly none of them" for most in between.
static uint64_t id_filter[64];
static uint32_t lowest_id, id_span;

static void build_filter(const sm_run *run)
{
    uint32_t highest = 0;
    lowest_id = ~0u;
    memset(id_filter, 0, sizeof id_filter);
    for (int i = 0; i <= sm__slot_count; i++) {
        int tid = i < sm__slot_count ? atomic_load(&sm__slots[i].tid) : run->caller;
        id_filter[(tid >> 6) & 63] |= 1ull << (tid & 63);
        lowest_id = (uint32_t)tid < lowest_id ? (uint32_t)tid : lowest_id;
        highest = (uint32_t)tid > highest ? (uint32_t)tid : highest;
    }
    id_span = highest - lowest_id;
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

static int in_child(const sm_run *run)
{
    return run->process != (int)syscall(SYS_getpid);
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

// The parent learns from it who owns nothing.
static void note_owner(const sm_run *run, int32_t tid)
{
    const sm_slot *slot = sm__slot_of(tid);
    if (slot)
        run->shared->owning[(slot - sm__slots) / 32] |= 1u << (slot - sm__slots) % 32;
    else
        run->shared->caller_owns = 1;
}

int sm__owns(const sm_run *run, int slot)
{
    return run->shared->owning[slot / 32] >> slot % 32 & 1;
}

static uint32_t rewrite_owner(const sm_run *run, int32_t *owner)
{
    int id = new_id_of(run, *owner);
    if (id <= 0)
        return 0;
    note_owner(run, *owner);
    *owner = id;
    return 1;
}

enum { LINE = 64 };
typedef uint32_t numbers __attribute__((vector_size(16)));

// A lock notes its owner at the beginning of eight bytes, and a small number behind it: how many use the mutex, whether processes share the other kind. Does one of
// the eight words of this cache line look so? Hardly one line in a hundred does, unless ids are as small as in a new container.
SM_UNSANITIZED static int may_name_owner(const char *line)
{
    const numbers *quarter = (const numbers *)line, first = { 0, 2, 4, 6 }, second = { 1, 3, 5, 7 };
    numbers unlike[2];
    for (int i = 0; i < 2; i++) {
        numbers owners = __builtin_shuffle(quarter[2 * i], quarter[2 * i + 1], first), users = __builtin_shuffle(quarter[2 * i], quarter[2 * i + 1], second);
        unlike[i] = (numbers)(owners - lowest_id > id_span) | (numbers)(users > MAX_USERS);
    }
    return _mm_movemask_epi8((__m128i)(unlike[0] & unlike[1])) != 0xffff;
}

// What became of a lock's owner: in the child it gets its new id; the parent, which searches for it, notes the place.
static uint32_t handle_owner(const sm_run *run, int32_t *owner)
{
    sm_handshake *shared = run->shared;
    if (in_child(run))
        return rewrite_owner(run, owner);
    if (*owner != run->caller && !sm__slot_of(*owner))
        return 0;
    note_owner(run, *owner);
    if (shared->found_count < SM_MAX_OWNERS)
        shared->found[shared->found_count] = owner;
    shared->found_count++;
    return 0;
}

// What this reads is cold, and the processor alone fetches too little of it ahead: asked to, it takes a third less time.
SM_UNSANITIZED static uint32_t search_range(const sm_run *run, char *start, char *end)
{
    enum { AHEAD = 1024, OWNER_OF_MUTEX = offsetof(mutex, owner), OWNER_OF_RWLOCK = offsetof(rwlock, writer) };
    uint32_t rewritten = 0;
    for (char *line = (char *)((uintptr_t)start & ~(uintptr_t)(LINE - 1)); line < end; line += LINE) {
        __builtin_prefetch(line + AHEAD);
        if (__builtin_expect(!may_name_owner(line), 1))
            continue;
        for (char *at = line; at < line + LINE; at += 8) {
            char *one = at - OWNER_OF_MUTEX, *other = at - OWNER_OF_RWLOCK;
            if (one >= start && one + sizeof(mutex) <= end && looks_owned((mutex *)one))
                rewritten += handle_owner(run, &((mutex *)one)->owner);
            else if (other >= start && other + sizeof(rwlock) <= end && looks_written((rwlock *)other))
                rewritten += handle_owner(run, &((rwlock *)other)->writer);
        }
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
    if (!mapping->read || !mapping->write)
        return 0;
    if (mapping->shared)
        return sm__is_code(mapping);
    return mapping->inode != 0 ? !sm__is_managed(mapping) : mapping->heap || is_bss(index) || is_malloc_arena(mapping) || is_loader_heap(mapping);
}

// Without the engine's own tables: they hold ids beside small numbers, and most of their pages have never been touched.
static uint32_t search_without(const sm_run *run, char *start, char *end, const sm_range *tables, int count)
{
    if (count == 0)
        return search_range(run, start, end);
    char *table = tables->start, *table_end = tables->end;
    if (table_end <= start || table >= end)
        return search_without(run, start, end, tables + 1, count - 1);
    uint32_t rewritten = start < table ? search_without(run, start, table, tables + 1, count - 1) : 0;
    return rewritten + (end > table_end ? search_without(run, table_end, end, tables + 1, count - 1) : 0);
}

// What is not searched yet. Neighbours are one: a lock may lie across the edge of two mappings, as that between the data of a library that are in its file and those that are not.
typedef struct { const sm_run *run; sm_range waiting; uint32_t rewritten; } search_state;

static void search_waiting(search_state *state, sm_range next)
{
    const sm_range tables[] = { { (char *)sm__slots, (char *)(sm__slots + SM_MAX_THREADS) }, { (char *)sm__mappings, (char *)(sm__mappings + SM_MAX_RANGES) } };
    if (state->waiting.start && state->waiting.end == next.start) {
        state->waiting.end = next.end;
        return;
    }
    if (state->waiting.start)
        state->rewritten += search_without(state->run, state->waiting.start, state->waiting.end, tables, 2);
    state->waiting = next;
}

// Of a mapping the pages that exist. Of the code file all was written that is mapped so; its copy has just been mapped in a child, where no page of it is there yet.
static void search_mapping(search_state *state, const sm_mapping *mapping, sm_pages *pages)
{
    if (mapping->shared) {
        search_waiting(state, (sm_range){ mapping->start, mapping->end });
        return;
    }
    sm__pages_of(pages, mapping->start, mapping->end);
    for (sm_range run_of_pages; sm__next_pages(pages, &run_of_pages);)
        search_waiting(state, run_of_pages);
}

static uint32_t search(const sm_run *run)
{
    SM_TABLE static sm_pages pages;
    search_state state = { .run = run };
    build_filter(run);
    sm__open_pages(&pages);
    for (int i = 0; i < sm__mapping_count; i++)
        if (holds_native_locks(i))
            search_mapping(&state, &sm__mappings[i], &pages);
    search_waiting(&state, (sm_range){ NULL, NULL });
    sm__close_pages(&pages);
    return state.rewritten;
}

// In the parent, which stands still until its child has copied code memory: it searches meanwhile, in the same data, of which it has every page at hand.
void sm__find_owners(sm_run *run)
{
    search(run);
    atomic_store(&run->shared->has_found, 1);
}

// In the child: what its parent has found, or, if that is more than there is room for or not known, what it finds itself. Returns -errno where that fails.
int sm__rewrite_owners(sm_run *run)
{
    const sm_handshake *shared = run->shared;
    if (!atomic_load(&shared->has_found) || shared->found_count > SM_MAX_OWNERS) {
        int mappings = sm__read_ranges();
        run->result->owners = mappings < 0 ? 0 : search(run);
        return mappings;
    }
    for (uint32_t i = 0; i < shared->found_count; i++) {
        int32_t owner;
        if (sm__peek(shared->found[i], &owner, sizeof owner))   // what is not there in a child (MADV_DONTFORK) is nobody's lock
            run->result->owners += rewrite_owner(run, shared->found[i]);
    }
    return 0;
}
