// Threads that stay parked from one fork of a server to the next. Parking and releasing four of them is sixteen switches between threads, for a state that has not changed.
// They may wait there as well as where they had waited: they are blocked anyway, the runtime collects garbage without them, and what wakes them they see when they are let
// go. That must happen at once when the runtime has a signal to handle: its threads do that. And soon when there is nothing to fork, where one of them has work of its own.
#include "engine.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

static int held;                       // how many
static int has_work;                   // one of them may have something to do that no request brings
static uint32_t threads;               // result->threads of the fork that parked them

// Where each thread has been seen waiting, and since when it has been there to be seen.
// A thread may wait where others cannot do without it: one that stops the runtime waits for the last thread to stop, and a thread that forks in that moment goes back to managed code,
// where it waits for the end of that stop. So nobody is held, or comes back late in a child, who does not wait where he was seen waiting the last time: in between he could go on, and the
// thread that forks has come past managed code.
// And one that is new may be somebody's end, or beginning: who has been there for a while waits for work.
enum { MOST_KNOWN = 64 };
typedef struct { int tid; uint64_t since, stack, word; } thread_seen;
static const uint64_t probation_ns = 2000000000;
static thread_seen known[MOST_KNOWN];
static int known_count, strangers;

// A link of its directory for each thread: cheaper than to list them.
static int count_threads(void)
{
    struct stat state;
    return syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &state, 0) == 0 ? (int)state.st_nlink - 2 : -1;
}

int sm__still_holds_all(sm_run *run)
{
    if (!held)
        return 0;
    if (!(run->options->flags & SM_FORK_HOLD) || count_threads() != held + 1) {
        sm__let_go();
        return 0;
    }
    run->quiet = run->rests = 1;
    run->result->threads = threads;
    run->result->parked_ns = sm__now();
    return 1;
}

static const thread_seen *seen(int tid)
{
    for (int i = 0; i < known_count; i++)
        if (known[i].tid == tid)
            return &known[i];
    return NULL;
}

// Returns whether every thread waits where it was seen the last time. Those that are seen first are trusted at once: a server has just been made ready then.
int sm__note_places(void)
{
    thread_seen now_here[MOST_KNOWN];
    uint64_t now = sm__now();
    int count = 0, is_first = known_count == 0, rest = !is_first;
    strangers = 0;
    for (int i = 0; i < sm__slot_count && count < MOST_KNOWN; i++) {
        const sm_slot *slot = &sm__slots[i];
        if (atomic_load(&slot->state) != SM_SLOT_PARKED)
            continue;
        const thread_seen *before = seen(atomic_load(&slot->tid));
        now_here[count] = (thread_seen){ atomic_load(&slot->tid), before ? before->since : is_first ? 0 : now, slot->stack, slot->argument[0] };
        rest &= before && before->stack == slot->stack && before->word == slot->argument[0];
        strangers += now_here[count].since != 0 && now_here[count].since + probation_ns > now;
        count++;
    }
    memcpy(known, now_here, (size_t)count * sizeof *known);
    known_count = count;
    return rest && count < MOST_KNOWN;
}

static int is_called(const sm_slot *slot, const char *name)
{
    return strncmp(slot->name, name, strlen(name)) == 0;
}

// What these do, the thread that forks brings about: nothing, while it waits. A timer's thread, one that looks after sockets, files or handles, and whichever else the framework makes of its own accord
// are brought to work by time and by others.
static int waits_for_others(const sm_slot *slot)
{
    switch (slot->kind) {
    case SM_THREAD_RUNTIME:
        return !slot->managed || is_called(slot, ".NET Finalizer") || is_called(slot, ".NET Tiered");
    case SM_THREAD_POOL: case SM_THREAD_GATE:
        return !is_called(slot, ".NET TP Wait");
    case SM_THREAD_LIBRARY:                          // the one that listens in a child; the others wait for children and programs, which a preload may have started
        return !slot->managed || is_called(slot, "StartMethods Ch");
    }
    return 0;
}

void sm__hold_or_release(const sm_run *run)
{
    if (!(run->options->flags & SM_FORK_HOLD) || !run->quiet || (!held && (!run->rests || strangers))) {
        sm__release_all();
    }
    else if (!held) {
        has_work = 0;
        for (int i = 0; i < sm__slot_count; i++) {
            held += atomic_load(&sm__slots[i].state) == SM_SLOT_PARKED;
            has_work |= !waits_for_others(&sm__slots[i]);
        }
        threads = run->result->threads;
    }
}

void sm__release_all(void)
{
    held = 0;
    sm__release();
}

void sm__let_go(void)
{
    if (held)
        sm__release_all();
}

int sm__holds(void)
{
    return held > 0;
}

int32_t sm_fork_let_go(void)
{
    sm__let_go();
    return 0;
}

int32_t sm_fork_hold_until(int32_t descriptor, int32_t patience_ms, int32_t idle_ms)
{
    struct pollfd polls[] = { { .fd = descriptor, .events = POLLIN }, { .fd = sm__engine.synch_pipe, .events = POLLIN }, { .fd = sm__engine.signal_pipe, .events = POLLIN } };
    while (held) {
        int ready = poll(polls, 3, has_work ? patience_ms : idle_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0 && !has_work)
            return 2;
        if (ready <= 0 || polls[1].revents || polls[2].revents)
            sm__let_go();                            // also where requests come without end: a signal may be one to end by
        return ready > 0 && polls[0].revents;
    }
    return 0;
}
