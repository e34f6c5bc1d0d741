// CHILD-SAFE: threads that sleep on in a forked child. Most children of a fork server end within a millisecond or two and never need the runtime's threads; giving
// back four of them was a fifth of a child's processor time, and with a second thread on another processor each page that a child writes to first costs an interrupt there.
// So one of them, the caretaker, sleeps for a moment within the handler that had parked it, and then gives back the others. To the runtime a dormant thread is one that
// has waited since before the fork: what wakes it leaves its mark in memory, and the thread sees that as soon as it is there.
//
// The thread that optimizes code (".NET Tiered Com…") is the caretaker where there is one, and sleeps on until the child has used some processor time: only then is there
// anything to optimize, and in each of a thousand idle children it would unshare half a megabyte. A timer's signal instead of a caretaker would be cheaper still, but it
// would end calls of the application's with EINTR.
#include "engine.h"

#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { AWAKE, ASLEEP, RESTING };   // RESTING: all but the caretaker are awake
static const long moment_ns = 5000000, short_moment_ns = 1000000, patience_ns = 2000000000;
static const long worth_optimizing_ns = 20000000;
static _Atomic int stage, hurry, back;
static sm_slot *caretaker;
static int of_application;         // this is the child of one, not of a server

// Who a thread is, to the kernel: each has a copy of its own.
typedef struct { uint32_t users[3], groups[3]; int count; } identity;
static identity common;
SM_TABLE static uint32_t common_groups[65536];

static int is_optimizer(const sm_slot *slot)
{
    return strncmp(slot->name, ".NET Tiered", 11) == 0;
}

// An application's child may want its pool, its timers or its garbage collector at once. The runtime's other threads do what its own doing brings about, that of sockets hears from
// them what has come meanwhile, and the library's listen to a parent that has just begun to wait.
static int may_come_late(const sm_slot *slot)
{
    if (!of_application)
        return 1;
    if (slot->kind == SM_THREAD_SOCKETS || slot->kind == SM_THREAD_LIBRARY)
        return 1;
    return slot->kind == SM_THREAD_RUNTIME && strncmp(slot->name, ".NET Server", 11) != 0 && strncmp(slot->name, ".NET BGC", 8) != 0;
}

// Where all threads wait as they did before: where the application's do not own anything, either, since a lock's owner is repaired before its thread is back.
static int all_rest(const sm_run *run)
{
    const uint32_t flags = run->options->flags;
    return run->quiet && ((flags & SM_FORK_DORMANT && run->rests) || (flags & SM_FORK_LATE_RUNTIME && !run->has_owners));
}

// Nobody is late where a thread of those that come back cannot be done without for a moment: one that runs, or that a garbage collection would wait for.
static int can_be_late(void)
{
    for (int i = 0; i < sm__slot_count; i++) {
        const sm_slot *slot = &sm__slots[i];
        if (atomic_load(&slot->state) != SM_SLOT_PARKED || (slot->action == SM_ACTION_FREEZE && of_application))
            continue;
        if (!slot->parked || slot->action != SM_ACTION_REVIVE || slot->mode == SM_MODE_COOPERATIVE)
            return 0;
    }
    return 1;
}

sm_slot *sm__choose_caretaker(const sm_run *run)
{
    of_application = !(run->options->flags & SM_FORK_DORMANT);
    int are_late = all_rest(run) && can_be_late();
    caretaker = NULL;
    for (int i = 0; i < sm__slot_count; i++) {
        sm_slot *slot = &sm__slots[i];
        slot->dormant = are_late && atomic_load(&slot->state) == SM_SLOT_PARKED && slot->action == SM_ACTION_REVIVE && may_come_late(slot);
        if (slot->dormant && (!caretaker || is_optimizer(slot)))
            caretaker = slot;
    }
    atomic_store(&stage, caretaker ? ASLEEP : AWAKE);
    atomic_store(&hurry, 0);
    atomic_store(&back, 0);
    return caretaker;
}

static void set_stage(int value)
{
    atomic_store(&stage, value);
    syscall(SYS_futex, &stage, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

// setuid(2) and its like, as the C library has them, give each thread a signal of the C library's own and wait until all have changed their ids. So that one is never blocked here.
static uint64_t all_but(uint64_t wanted)
{
    enum { SIGNAL_OF_SETUID = 33 };
    return ~(wanted | 1ull << (SIGNAL_OF_SETUID - 1));
}

static identity who_am_i(void)
{
    identity own;
    syscall(SYS_getresuid, &own.users[0], &own.users[1], &own.users[2]);
    syscall(SYS_getresgid, &own.groups[0], &own.groups[1], &own.groups[2]);
    own.count = (int)syscall(SYS_getgroups, 0, NULL);
    return own;
}

// A thread that the caretaker was just giving back, while another changed everybody's ids, was not there to be told yet, and has the caretaker's old ones. The caretaker
// has the new ones by then: it was told before the last look for threads that there are.
static void be_like_the_caretaker(void)
{
    identity own = who_am_i();
    if (memcmp(&own, &common, sizeof own) == 0)
        return;
    syscall(SYS_setgroups, (size_t)common.count, common_groups);
    syscall(SYS_setresgid, common.groups[0], common.groups[1], common.groups[2]);
    syscall(SYS_setresuid, common.users[0], common.users[1], common.users[2]);
}

static void sleep_for(long nanoseconds)
{
    struct timespec time = { 0, nanoseconds };
    syscall(SYS_futex, &hurry, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
}

// No more threads for this user (RLIMIT_NPROC), or no memory. In a server's child that may pass, and its application sees that it does not answer. A child that an application has forked would
// wait for its finalizers when it ends, for ever and unseen: it says what is wrong and ends.
static void await_room(uint64_t since)
{
    static const char why[] = "StartMethods: a forked child ends, since there was no room for the threads of its runtime for two seconds (RLIMIT_NPROC, pids.max, memory)\n";
    if (of_application && sm__now() > since + patience_ns) {
        (void)!write(STDERR_FILENO, why, sizeof why - 1);
        syscall(SYS_exit_group, 125);
    }
    sm__pause(short_moment_ns);
}

// Whoever forks next has the slots written anew: so each thread says when it needs its own no more.
static void give_back_the_others(void)
{
    int given = 0;
    uint64_t since = sm__now();
    for (int i = 0; i < sm__slot_count; i++) {
        if (!sm__slots[i].dormant || &sm__slots[i] == caretaker)
            continue;
        while (sm__revive(&sm__slots[i]) < 0)
            await_room(since);
        sm__introduce(&sm__slots[i]);
        given++;
    }
    for (int seen; (seen = atomic_load(&back)) < given;)
        syscall(SYS_futex, &back, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

// Until this process has used some processor time, or somebody wants to fork it (sm__wake_dormant): its signal ends the sleep. What this thread had blocked stays blocked: a signal that all
// threads of a program block, and one waits for, would come here and end the child.
static void rest(void)
{
    enum { FIRST_FREE = 36, LAST = 63 };   // where sm__capture_signal looks
    uint64_t blocked, capture = 0;
    struct timespec time = { 0, worth_optimizing_ns };
    for (int signal = FIRST_FREE; signal <= LAST; signal++)
        capture |= 1ull << (signal - 1);
    blocked = all_but(capture & ~caretaker->blocked);
    sm__mask_restore(&blocked);
    if (!atomic_load(&hurry))
        syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &time, NULL);
    blocked = all_but(0);
    sm__mask_restore(&blocked);
}

// The gate is open by the time that the caretaker has slept, unless the child has got no processor meanwhile, or much to do: nobody comes back before it is whole.
void sm__sleep_on(sm_slot *slot, int generation)
{
    if (slot != caretaker) {
        atomic_fetch_add(&back, 1);
        syscall(SYS_futex, &back, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        while (atomic_load(&stage) == ASLEEP)
            syscall(SYS_futex, &stage, FUTEX_WAIT_PRIVATE, ASLEEP, NULL, NULL, 0);
        be_like_the_caretaker();
        return;
    }
    int rests = is_optimizer(slot);
    uint64_t blocked = all_but(0);
    sm__mask_restore(&blocked);
    sleep_for(of_application ? short_moment_ns : moment_ns);   // an application's child ends with its finalizers as often as not
    sm__wait_at_gate(generation);
    give_back_the_others();
    common = who_am_i();
    syscall(SYS_getgroups, (size_t)(sizeof common_groups / sizeof *common_groups), common_groups);
    if (rests) {
        set_stage(RESTING);
        rest();
    }
    set_stage(AWAKE);
}

// Before this process is forked itself, or its threads are looked at. The capture signal has its handler by then, which takes no notice of it while the gate is open.
int sm__wake_dormant(int process, int signal, uint64_t deadline)
{
    for (int seen; (seen = atomic_load(&stage)) != AWAKE;) {
        struct timespec slice = { 0, 1000000 };
        atomic_store(&hurry, 1);
        syscall(SYS_futex, &hurry, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        if (seen == RESTING)
            syscall(SYS_tgkill, process, caretaker->new_tid, signal);
        syscall(SYS_futex, &stage, FUTEX_WAIT_PRIVATE, seen, &slice, NULL, 0);
        if (sm__now() > deadline)
            return -EAGAIN;
    }
    return 0;
}
