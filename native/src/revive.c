// CHILD-SAFE: giving a forked child its threads back. Each is cloned onto its old stack and thread-local storage, which the fork copied, and
// goes on inside the signal handler that had parked it: to the runtime it looks as if it had only been interrupted.
#include "engine.h"

#include <signal.h>
#include <string.h>

enum { REVIVED_THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID
                      | CLONE_CHILD_CLEARTID };
static const uint64_t arrival_limit_ns = 5000000000u;

int sm__revive(sm_slot *slot)
{
    int *tid = (int *)(slot->thread_pointer + sm__engine.tid_offset);
    if (*tid != atomic_load(&slot->tid))
        return -EPROTO;
    long id = sm__clone_thread(REVIVED_THREAD, tid, tid, (unsigned long)slot->thread_pointer, &slot->context);
    if (id >= 0)
        slot->new_tid = (int)id;
    return (int)id;
}

// Returns the number of revived threads, or -errno. Where there is a caretaker, it gives back the dormant ones when it finds the time.
int sm__revive_all(sm_run *run)
{
    int revived = 0, expected = 0;
    const sm_slot *caretaker = sm__choose_caretaker(run);
    sm__expect_arrivals();
    for (int i = 0; i < sm__slot_count; i++) {
        sm_slot *slot = &sm__slots[i];
        if (atomic_load(&slot->state) != SM_SLOT_PARKED)
            continue;
        if (slot->action == SM_ACTION_FREEZE) {
            run->result->frozen++;
            continue;
        }
        if (slot->dormant && slot != caretaker)
            continue;
        int id = sm__revive(slot);
        if (id < 0)
            return id;
        revived++;
        expected += !slot->dormant;
    }
    int arrived = expected ? sm__await_arrivals(expected, sm__now() + arrival_limit_ns) : 0;
    return arrived < 0 ? arrived : revived;
}

static size_t nobody(size_t old)   // an id that no thread can have
{
    return (size_t)1 << 40 | old;
}

static size_t new_entry(const sm_run *run, size_t old)
{
    if ((int)old == run->caller)
        return (size_t)syscall(SYS_gettid);
    const sm_slot *slot = sm__slot_of((int)old);
    if (!slot || atomic_load(&slot->state) != SM_SLOT_PARKED)
        return old;
    return slot->new_tid ? (size_t)slot->new_tid : nobody(old);   // frozen, or not there yet
}

// Written only where it changes: the list has threads that ended long ago, and each write is a page of the child's own.
SM_UNSANITIZED static void rewrite(size_t *entry, size_t value)
{
    if (*entry != value)
        *entry = value;
}

static int is_dormant(size_t id)
{
    const sm_slot *slot = sm__slot_of((int)id);
    return slot && slot->dormant && !slot->new_tid;
}

// A frozen foreground thread would keep the child's Main from ending the process: there it counts as a background thread.
SM_UNSANITIZED static void make_background(char *thread)
{
    enum { TS_BACKGROUND = 0x200 };   // CoreCLR's Thread::TS_Background
    uint32_t *state = (uint32_t *)(thread + sm__engine.state);
    if (*state & TS_BACKGROUND || sm__engine.background_count < 0)
        return;
    *state |= TS_BACKGROUND;
    ++*(int32_t *)(*sm__engine.thread_store + sm__engine.background_count);
}

// Where the runtime finds its Thread by the id of an operating-system thread: its own list (which we read at the next fork), and the table
// that its activation handler searches. Without the latter a thread in a tight loop never stops for a garbage collection in the child.
SM_UNSANITIZED void sm__rewrite_thread_ids(sm_run *run)
{
    const sm_engine *engine = &sm__engine;
    if (engine->thread_map)
        for (struct sm_thread_map *map = *engine->thread_map; map; map = map->next)
            for (int i = 0; i < 256; i++)
                if (map->entries[i].tid)
                    rewrite(&map->entries[i].tid, new_entry(run, map->entries[i].tid));
    if (!engine->thread_store || !*engine->thread_store)
        return;
    char *link = *(char **)(*engine->thread_store + engine->first_link);
    for (int guard = 0; link && guard < 4 * SM_MAX_THREADS; guard++, link = *(char **)link) {
        size_t *id = (size_t *)(link - engine->link_next + engine->os_id);
        if (!is_dormant(*id))                        // sm__introduce does that; nobody asks before
            rewrite(id, new_entry(run, *id));
    }
    for (int i = 0; i < sm__slot_count; i++)
        if (sm__slots[i].managed && !sm__slots[i].new_tid && !sm__slots[i].dormant)
            make_background(sm__slots[i].managed);
}

// The same for one thread that comes back when others run already: the list may change under us, so its entries there are those that were found when it was parked.
SM_UNSANITIZED void sm__introduce(const sm_slot *slot)
{
    size_t unknown = nobody((size_t)atomic_load(&slot->tid)), id = (size_t)slot->new_tid;
    if (sm__engine.thread_map)
        for (struct sm_thread_map *map = *sm__engine.thread_map; map; map = map->next)
            for (int i = 0; i < 256; i++)
                if (map->entries[i].tid == unknown)
                    map->entries[i].tid = id;
    if (slot->managed)
        *(size_t *)(slot->managed + sm__engine.os_id) = id;
}

// A garbage collection that was suspending threads at the moment of the fork has sent each a signal; one that had not been delivered yet did
// not come along, and the runtime, which sees it as pending, never sends a second. So it is sent again, to all: a thread that was not meant
// takes no notice. Threads are still parked with all signals blocked, and get it when they go on.
void sm__resend_activations(void)
{
    enum { SIGRTMIN_OF_GLIBC = 34 };   // CoreCLR's INJECT_ACTIVATION_SIGNAL
    struct sigaction action;
    int process = (int)syscall(SYS_getpid);
    if (sigaction(SIGRTMIN_OF_GLIBC, NULL, &action) != 0 || !(action.sa_flags & SA_SIGINFO))
        return;
    for (int i = 0; i < sm__slot_count; i++)
        if (sm__slots[i].managed && sm__slots[i].new_tid)
            syscall(SYS_tgkill, process, sm__slots[i].new_tid, SIGRTMIN_OF_GLIBC);
}

static int holds(const char *pointer, int offset, int tid)
{
    return *(const int *)(pointer + offset) == tid;
}

// Where glibc keeps the id of a thread in its struct pthread: the one place that is right for the caller and for every parked thread. One
// thread would not do: process 1's id, 1, stands in many places.
int sm__learn_tid_offset(sm_run *run)
{
    enum { STRUCT_SIZE = 2304 };
    int found = -1;
    if (sm__engine.tid_offset >= 0)
        return 0;
    for (int offset = 0; offset < STRUCT_SIZE; offset += 4) {
        int right = holds(run->caller_pointer, offset, run->caller), threads = 1;
        for (int i = 0; right && i < sm__slot_count; i++)
            if (atomic_load(&sm__slots[i].state) == SM_SLOT_PARKED) {
                right = holds(sm__slots[i].thread_pointer, offset, atomic_load(&sm__slots[i].tid));
                threads++;
            }
        if (!right || (threads == 1 && run->caller < 1024))
            continue;
        if (found >= 0)
            return -ENOTSUP;
        found = offset;
    }
    sm__engine.tid_offset = found;
    return found < 0 ? -ENOTSUP : 0;
}
