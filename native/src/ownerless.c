// CHILD-SAFE: places at which a thread owns no lock. The search for owners (owners.c) reads some megabytes for each fork, and in a process at rest it finds nothing each time: its threads
// wait where they waited at the last fork. So a place at which the search has found a thread to own nothing is noted, and a fork for which everybody is at such a place goes without.
//
// A place is what brings a thread back to where it was: of one that waits every word of its stack, of the one that forks the calls that it is in. At the same place again it owns what it owned
// there, since the runtime's code releases a lock in the call that took it. Foreign code may do otherwise (one call that locks, another that unlocks): where a library is loaded that is neither the
// runtime's nor the system's, or where native code stands among the calls of the one that forks (a static constructor, a callback), nothing is noted. What is not seen so: managed code that calls
// pthread_mutex_lock itself, and a native program of somebody's own that hosts the runtime (SM_FORK_SEARCH is for these).
//
// Only where few threads live on: it takes a microsecond for each, while all stand still.
#include "engine.h"

#include <string.h>

extern char *__libc_stack_end;   // of the main thread

enum { MOST_PLACES = 256, MOST_THREADS = 64, DEEPEST_WAIT = 32768, LONGEST_STACK = 64 << 20, MOST_CALLS = 512 };
static struct { int tid; uint64_t place; } ownerless[MOST_PLACES];
static unsigned noted;

static uint64_t mix(uint64_t place, uint64_t word)
{
    place = (place ^ word) * 0x9e3779b97f4a7c15u;
    return place ^ place >> 29;
}

// Where the stack ends that the C library or the kernel has made for this thread, if the address is on it; else NULL.
static char *end_of_stack(char *address, char *thread_pointer)
{
    if (address < thread_pointer && thread_pointer - address <= LONGEST_STACK)
        return thread_pointer;
    return address < __libc_stack_end && __libc_stack_end - address <= LONGEST_STACK ? __libc_stack_end : NULL;
}

// 0: not known. The stack is read as another process would: somebody's own may end in front of the thread's.
static uint64_t place_of(const sm_slot *slot)
{
    SM_TABLE static uint64_t words[DEEPEST_WAIT / sizeof(uint64_t)];
    char *start = (char *)slot->stack, *end = end_of_stack(start, slot->thread_pointer);
    if (!end || !slot->parked || slot->kind == SM_THREAD_FOREIGN)
        return 0;
    size_t count = (size_t)(end - start) / sizeof *words;
    if (count > sizeof words / sizeof *words || !sm__peek(start, words, count * sizeof *words))
        return 0;
    uint64_t place = mix(mix(slot->instruction, slot->stack), slot->argument[0]);
    for (size_t i = 0; i < count; i++)
        place = mix(place, words[i]);
    return place | 1;
}

// The calls that the forking thread is in, from the engine's outwards: a frame begins with the address of the one around it and the address to return to. Code that keeps no frames ends
// the walk, or is passed over.
typedef struct { char *frame, *returns_to; } call;
typedef struct { char *end, *copied_from, *copied_until; int calls, failed; char copy[4096]; } call_walk;

static void begin_walk(call_walk *walk, const sm_run *run)
{
    walk->end = end_of_stack(run->frame, run->caller_pointer);
    walk->copied_from = walk->copied_until = walk->end;   // nothing yet
    walk->calls = walk->failed = 0;
}

static int copy_stack(call_walk *walk, char *from)
{
    size_t size = (size_t)(walk->end - from) < sizeof walk->copy ? (size_t)(walk->end - from) : sizeof walk->copy;
    walk->copied_from = from;
    walk->copied_until = from + size;
    return sm__peek(from, walk->copy, size);
}

// Goes on to the frame around this one. 0: there is none.
static int next_call(call_walk *walk, call *at)
{
    call next;
    if (!walk->end || at->frame > walk->end - sizeof next || (uintptr_t)at->frame % sizeof(void *) || walk->calls++ == MOST_CALLS)
        return 0;
    if ((at->frame < walk->copied_from || at->frame > walk->copied_until - sizeof next) && !copy_stack(walk, at->frame)) {
        walk->failed = 1;
        return 0;
    }
    memcpy(&next, walk->copy + (at->frame - walk->copied_from), sizeof next);
    int goes_on = next.frame > at->frame;
    *at = next;
    return goes_on;
}

static uint64_t place_of_caller(const sm_run *run)
{
    call_walk walk;
    call at = { run->frame, NULL };
    uint64_t place = (uintptr_t)run->frame;
    begin_walk(&walk, run);
    while (next_call(&walk, &at))
        place = mix(place, (uintptr_t)at.returns_to);
    return walk.end && !walk.failed && walk.calls <= MOST_CALLS ? place | 1 : 0;
}

uint64_t sm_fork_place(void)
{
    sm_run run = { .frame = __builtin_frame_address(0), .caller_pointer = __builtin_thread_pointer() };
    return place_of_caller(&run);
}

static const sm_mapping *mapping_of(const char *address)
{
    int low = 0, high = sm__mapping_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (sm__mappings[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sm__mapping_count && sm__mappings[low].start <= address ? &sm__mappings[low] : NULL;
}

// Compiled by the runtime, ahead of time or now.
static int is_managed_code(const char *address)
{
    const sm_mapping *mapping = mapping_of(address);
    return mapping && (mapping->inode == 0 || sm__is_code(mapping) || sm__is_managed(mapping));
}

// Managed code, and then the runtime's own first call of it and what had called that.
static int is_called_by_managed_code(const sm_run *run)
{
    call_walk walk;
    call at = { run->frame, NULL };
    int has_left = 0;
    begin_walk(&walk, run);
    while (next_call(&walk, &at)) {
        int is_managed = is_managed_code(at.returns_to);
        if (is_managed && has_left)
            return 0;
        if (!is_managed && !has_left && (at.returns_to < sm__engine.core_text.start || at.returns_to >= sm__engine.core_text.end))
            return 0;
        has_left = !is_managed;
    }
    return has_left;
}

static int is_noted(int tid, uint64_t place)
{
    for (int i = 0; place && i < MOST_PLACES; i++)
        if (ownerless[i].tid == tid && ownerless[i].place == place)
            return 1;
    return 0;
}

static void note(int tid, uint64_t place)
{
    if (!place || is_noted(tid, place))
        return;
    ownerless[noted % MOST_PLACES].tid = tid;
    ownerless[noted++ % MOST_PLACES].place = place;
}

static int lives_on(const sm_slot *slot)
{
    return atomic_load(&slot->state) == SM_SLOT_PARKED && slot->action == SM_ACTION_REVIVE;
}

// How many will live in the child.
int sm__count_living(void)
{
    int count = 0;
    for (int i = 0; i < sm__slot_count; i++)
        count += lives_on(&sm__slots[i]);
    return count;
}

// While all are parked: is everybody who will live in the child where he has been found to own nothing? Where not, the places are kept for sm__note_ownerless.
int sm__own_nothing(sm_run *run)
{
    run->may_rest &= run->quiet && sm__count_living() <= MOST_THREADS;
    if (!run->may_rest)
        return 0;
    run->place = place_of_caller(run);
    int known = is_noted(run->caller, run->place);
    for (int i = 0; i < sm__slot_count; i++) {
        sm_slot *slot = &sm__slots[i];
        if (!lives_on(slot))
            continue;
        slot->place = place_of(slot);
        known &= is_noted(atomic_load(&slot->tid), slot->place);
    }
    return known;
}

// After a search, in the parent: who was not found to own anything.
void sm__note_ownerless(const sm_run *run)
{
    if (!run->may_rest || (!run->has_code_memory && sm__read_ranges() < 0))
        return;
    if (!run->shared->caller_owns && is_called_by_managed_code(run))
        note(run->caller, run->place);
    for (int i = 0; i < sm__slot_count; i++)
        if (lives_on(&sm__slots[i]) && !sm__owns(run, i))
            note(atomic_load(&sm__slots[i].tid), sm__slots[i].place);
}
