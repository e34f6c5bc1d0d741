// CHILD-SAFE: is this a good moment to fork? Read from the registers of each parked thread, without a system call a thread.
//
// Parked = blocked in a call that the kernel may end early. A sleep (nanosleep) is not: the runtime backs off with it while it suspends all
// threads and owns its thread-store lock (managed sleeps are futex waits). Seven of 500 forks hung before this was excluded.
#include "engine.h"

#include <signal.h>
#include <string.h>

#if !defined(__x86_64__)
#error "the fork engine knows the registers of x86-64 only"
#endif

enum { FUTEX_COMMAND = 0x7f, FUTEX_WAIT_COMMAND = 0, FUTEX_LOCK_PI_COMMAND = 6, FUTEX_WAIT_BITSET_COMMAND = 9 };

static int is_wait(int number, uint64_t second_argument)
{
    switch (number) {
    case SYS_futex: {
        int command = (int)second_argument & FUTEX_COMMAND;
        return command == FUTEX_WAIT_COMMAND || command == FUTEX_LOCK_PI_COMMAND || command == FUTEX_WAIT_BITSET_COMMAND || command == 11 || command == 13;
    }
    case SYS_poll: case SYS_ppoll: case SYS_epoll_wait: case SYS_epoll_pwait: case SYS_read: case SYS_readv: case SYS_recvfrom: case SYS_recvmsg:
    case SYS_accept: case SYS_accept4: case SYS_wait4: case SYS_waitid: case SYS_select: case SYS_pselect6: case SYS_pause: case SYS_rt_sigtimedwait:
    case SYS_rt_sigsuspend: case SYS_connect: case SYS_write: case SYS_sendmsg: case SYS_sendto: case SYS_flock: case SYS_fcntl: case SYS_openat:
        return 1;
    }
    return 0;
}

static int holds_own_id(const sm_slot *slot, const greg_t *registers)
{
    for (int i = 0; i <= REG_RSP; i++)               // the general ones
        if ((int)registers[i] == atomic_load(&slot->tid))
            return 1;
    return 0;
}

// Whether the thread is in the handler of a signal that people send to processes: then it blocks that one, and none of the others.
static int is_in_handler(const ucontext_t *context)
{
    static const uint64_t sent = 1u << (SIGHUP - 1) | 1u << (SIGINT - 1) | 1u << (SIGQUIT - 1) | 1u << (SIGUSR1 - 1) | 1u << (SIGUSR2 - 1) | 1u << (SIGTERM - 1);
    uint64_t blocked;
    memcpy(&blocked, &context->uc_sigmask, sizeof blocked);
    blocked &= sent;
    return blocked && (blocked & (blocked - 1)) == 0;
}

// Notes what the thread was doing: the system call, if the signal interrupted one.
SM_UNSANITIZED void sm__describe_slot(sm_slot *slot, const ucontext_t *context)
{
    const greg_t *registers = context->uc_mcontext.gregs;
    const unsigned char *at = (const unsigned char *)registers[REG_RIP];
    slot->instruction = (uint64_t)registers[REG_RIP];
    slot->stack = (uint64_t)registers[REG_RSP];
    slot->argument[0] = (uint64_t)registers[REG_RDI];
    slot->argument[1] = (uint64_t)registers[REG_RSI];
    slot->argument[2] = (uint64_t)registers[REG_RDX];
    slot->returned = registers[REG_RAX];
    slot->holds_own_id = holds_own_id(slot, registers);
    slot->handles_signal = is_in_handler(context);
    memcpy(&slot->blocked, &context->uc_sigmask, sizeof slot->blocked);
    slot->parked = 0;
    slot->syscall = -1;
    if (at[0] == 0x0f && at[1] == 0x05) {                                          // the kernel will restart it
        slot->syscall = (int)slot->returned;
        slot->parked = is_wait(slot->syscall, slot->argument[1]);
    } else if (at[-2] == 0x0f && at[-1] == 0x05 && slot->returned == -EINTR) {     // it was blocked and ends now
        slot->parked = 1;
        if (at[-7] == 0xb8)                                                        // mov $number, %eax; syscall
            memcpy(&slot->syscall, at - 6, sizeof slot->syscall);
        if (slot->syscall == SYS_nanosleep || slot->syscall == SYS_clock_nanosleep)
            slot->parked = 0;
    }
}

// A thread that waits for a lock: pthread_mutex_lock waits with FUTEX_WAIT for the value 2 ("locked, with waiters").
static int waits_for_lock(const sm_slot *slot)
{
    return slot->syscall == SYS_futex && ((int)slot->argument[1] & FUTEX_COMMAND) == FUTEX_WAIT_COMMAND && (int)slot->argument[2] == 2;
}

static int waits_on_condition(const sm_slot *slot)
{
    return slot->parked && slot->syscall == SYS_futex && !waits_for_lock(slot);
}

static int default_action(const sm_slot *slot, uint32_t flags)
{
    switch (slot->kind) {
    case SM_THREAD_USER: case SM_THREAD_FOREIGN:
        return flags & SM_FORK_REVIVE_ALL ? SM_ACTION_REVIVE : SM_ACTION_FREEZE;
    case SM_THREAD_MAIN:   // blocked in an async Main it must live: the child's Main ends on it
        return flags & SM_FORK_REVIVE_ALL || waits_on_condition(slot) || strncmp(slot->name, ".NET", 4) == 0 ? SM_ACTION_REVIVE : SM_ACTION_FREEZE;
    case SM_THREAD_LIBRARY:
        // Our own managed threads serve the parent's descriptors; the child makes new ones. Our native one belongs to nobody.
        return slot->managed && slot->parked && slot->syscall != SYS_futex ? SM_ACTION_FREEZE : SM_ACTION_REVIVE;
    case SM_THREAD_RUNTIME:
        // The diagnostics server and the debugger's transport would compete with the parent's for its socket and its pipes; parked, they can stay behind.
        return slot->parked && (strncmp(slot->name, ".NET EventPipe", 14) == 0 || strncmp(slot->name, ".NET DebugPipe", 14) == 0) ? SM_ACTION_FREEZE : SM_ACTION_REVIVE;
    }
    return SM_ACTION_REVIVE;
}

// Does this managed thread wait on a condition of its own? Managed waits do: a mutex with users, directly followed by the condition. A thread
// that waits for the end of a garbage collection does not: all of them share one condition (followed, not preceded, by its mutex). A waiter
// that never leaves makes the next pthread_cond_broadcast but one wait for it for ever (glibc counts the waiters of a group in and out), so
// such a thread must not be left behind. Seen as one hang in about 60 forks beside threads that compile.
SM_UNSANITIZED static int waits_on_own_condition(const sm_slot *slot)
{
    enum { SIGNALS = 0x28, MUTEX_SIZE = 0x28, MUTEX_USERS = 3, MUTEX_KIND = 4, MAX_USERS = 64 };
    uint64_t word = slot->argument[0];
    const unsigned *mutex = (const unsigned *)((word & ~(uint64_t)7) - SIGNALS - MUTEX_SIZE);
    return mutex[MUTEX_USERS] >= 1 && mutex[MUTEX_USERS] <= MAX_USERS && mutex[MUTEX_KIND] == 0;
}

// Does it wait for a lock of managed code (Monitor)? The runtime notes that for debuggers: a word of its Thread points to a record on the thread's stack, which names the
// lock, and the lock counts its waiters.
SM_UNSANITIZED static int waits_for_monitor(const sm_slot *slot)
{
    enum { SEARCHED = 1024, NEAR = 1 << 16, ENTERS = 0, WAITERS = 6, MAX_WAITERS = 1 << 16 };
    struct { uint64_t lock, domain; uint32_t kind, timeout; uint64_t next; } record;
    for (int offset = 0; offset < SEARCHED; offset += 8) {
        uint64_t word = *(const uint64_t *)(slot->managed + offset);
        uint32_t state;
        if (word - slot->stack >= NEAR || word % 8 || !sm__peek((const void *)word, &record, sizeof record))
            continue;
        if (record.kind == ENTERS && record.lock && record.lock % 8 == 0 && record.domain && record.domain % 8 == 0
            && sm__peek((const void *)record.lock, &state, sizeof state) && state >> WAITERS >= 1 && state >> WAITERS <= MAX_WAITERS)
            return 1;
    }
    return 0;
}

// Who is woken to take such a lock, and never takes it, is the last who is woken: the lock expects it, and everybody else who waits does so for ever, although it is free. The
// framework has such locks too (each exception takes one).
static int has_to_take_a_lock(const sm_slot *slot)
{
    return slot->managed && slot->parked && slot->syscall == SYS_futex && waits_for_monitor(slot);
}

// A thread that does not live on in the child must hold nothing there that others need: it must be blocked, in preemptive mode (else the
// next garbage collection waits for it for ever), not about to own a lock, and in no queue that others have to see the end of.
static int can_freeze(const sm_slot *slot)
{
    return slot->parked && slot->mode != SM_MODE_COOPERATIVE && !waits_for_lock(slot)
        && !(slot->managed && slot->syscall == SYS_futex && !waits_on_own_condition(slot));
}

// A canary lives for a moment, to see whether a child can live here at all. Timers, work items and finalizers of the application are not to run in it once more, if their
// thread can be left behind.
static int may_run_application(const sm_slot *slot)
{
    switch (slot->kind) {
    case SM_THREAD_RUNTIME:
        return strncmp(slot->name, ".NET Finalizer", 14) == 0;
    case SM_THREAD_MAIN: case SM_THREAD_POOL: case SM_THREAD_GATE: case SM_THREAD_TIMER: case SM_THREAD_SOCKETS: case SM_THREAD_USER: case SM_THREAD_FOREIGN:
        return 1;
    }
    return 0;
}

static int action_of(const sm_slot *slot, const sm_fork_options *options)
{
    int tid = atomic_load(&slot->tid);
    for (uint32_t i = 0; i < options->policy_count; i++)
        if (options->policies[i].tid == tid)
            return options->policies[i].action;
    return options->flags & SM_FORK_CANARY && may_run_application(slot) && can_freeze(slot) && !has_to_take_a_lock(slot) ? SM_ACTION_FREEZE : default_action(slot, options->flags);
}

static void blame(sm_fork_result *result, const sm_slot *slot, const char *reason)
{
    sm_text text = { result->why, sizeof result->why, 0 };
    result->culprit = atomic_load(&slot->tid);
    result->culprit_kind = slot->kind;
    result->culprit_syscall = slot->syscall;
    memcpy(result->culprit_name, slot->name, sizeof result->culprit_name);
    sm__text(&text, "the ");
    sm__text(&text, sm__kind_name(slot->kind));
    sm__text(&text, " thread '");
    sm__text(&text, slot->name);
    sm__text(&text, "' (native id ");
    sm__number(&text, result->culprit);
    sm__text(&text, ") ");
    sm__text(&text, reason);
    if (slot->syscall >= 0) {
        sm__text(&text, " (");
        sm__text(&text, sm__syscall_name(slot->syscall));
        sm__text(&text, ")");
    }
}

// A thread that is being born waits in read(2) until its creator lets it go, and has its creator's name: it looks like one of the application's, of native code, or like its creator.
// Left behind, it would be missed by the pool, which counts it already; revived, it could take the word for its copy in the parent, since both read the same pipe.
// It is over in a moment, so that is waited for; what lasts for half the time there is, is something else.
static int must_pass(const sm_run *run, const sm_slot *slot)
{
    return slot->passing && sm__now() < run->patience;
}

// A signal to the parent is not one to the child. Whoever has just been handed it acts on it: the handler that ends the runtime (SIGTERM) sends it once more, to whichever process it finds
// itself in; the one of libSystem.Native, and the thread that it writes to, call what the application has registered. The copy in the child would do so there.
// (Servers ended by SIGTERM while they forked left children that the same signal had ended before their first word.)
static int handles_signal(const sm_run *run, const sm_slot *slot)
{
    return !slot->parked && (slot->handles_signal || strncmp(slot->name, ".NET SigHandler", 15) == 0) && slot->action != SM_ACTION_FREEZE && sm__now() < run->patience;
}

// One of our own that is at work on what parent and child share (workers' rings, pipes): its copy would do that work again, for the parent. It soon rests. Those that
// belong to a child are named "StartMethods C…".
static int works_for_parent(const sm_run *run, const sm_slot *slot)
{
    return slot->kind == SM_THREAD_LIBRARY && slot->managed && !slot->parked && strncmp(slot->name, "StartMethods C", 14) != 0 && sm__now() < run->patience;
}

// A thread that is about to note its id in a lock, or to compare it with the one in there, has read it already: in the child it would write, or expect, the
// id that it had in the parent, and the lock could never be released there. So nobody is caught in one of these functions with its own id in a
// register. (Of a thread that does nothing but take a lock and release it, one fork in 1,500 was lost.)
static int handles_lock(const sm_run *run, const sm_slot *slot)
{
    const sm_range *code = &sm__engine.lock_code;
    return !slot->parked && slot->holds_own_id && slot->action != SM_ACTION_FREEZE && slot->instruction >= (uint64_t)code->start && slot->instruction < (uint64_t)code->end
        && sm__now() < run->patience;
}

// Decides what becomes of each thread and how good the moment is. BAD: forking now would break the child; the result names the culprit.
int sm__judge(sm_run *run)
{
    int moment = SM_MOMENT_QUIET;
    run->result->threads = 0;
    for (int i = 0; i < sm__slot_count; i++) {
        sm_slot *slot = &sm__slots[i];
        if (atomic_load(&slot->state) != SM_SLOT_PARKED)
            continue;
        run->result->threads++;
        slot->action = action_of(slot, run->options);
        if (must_pass(run, slot)) {
            blame(run->result, slot, "is being born or ends");
            return SM_MOMENT_BAD;
        }
        if (works_for_parent(run, slot)) {
            blame(run->result, slot, "is at work");
            return SM_MOMENT_BAD;
        }
        if (handles_signal(run, slot)) {
            blame(run->result, slot, "handles a signal");
            return SM_MOMENT_BAD;
        }
        if (handles_lock(run, slot)) {
            blame(run->result, slot, "takes or releases a lock");
            return SM_MOMENT_BAD;
        }
        if (slot->action == SM_ACTION_FREEZE && !can_freeze(slot)) {
            blame(run->result, slot, slot->mode == SM_MODE_COOPERATIVE ? "runs managed code, so the child cannot do without it"
                                     : "is not blocked in a call at which it can be left behind");
            return SM_MOMENT_BAD;
        }
        if (slot->action == SM_ACTION_FREEZE && sm__now() < run->lock_patience && has_to_take_a_lock(slot)) {   // what lasts is a lock that the forker holds, for instance
            blame(run->result, slot, "waits for a lock");
            return SM_MOMENT_BAD;
        }
        if (!slot->parked || waits_for_lock(slot) || (run->options->flags & SM_FORK_CANARY && slot->action == SM_ACTION_REVIVE && may_run_application(slot))) {
            if (moment == SM_MOMENT_QUIET)
                blame(run->result, slot, waits_for_lock(slot) ? "waits for a lock" : "is running");
            moment = SM_MOMENT_BUSY;
        }
    }
    return moment;
}

// Is every thread one of the runtime's or the library's, that come back in the child or are made anew there? Who forks need not look at them then.
int sm__are_all_safe(const sm_run *run)
{
    for (int i = 0; i < sm__slot_count; i++) {
        if (atomic_load(&sm__slots[i].state) != SM_SLOT_PARKED)
            continue;
        switch (sm__slots[i].kind) {
        case SM_THREAD_RUNTIME: case SM_THREAD_GATE: case SM_THREAD_TIMER: case SM_THREAD_LIBRARY:
            break;
        case SM_THREAD_POOL:
            if (run->options->flags & SM_FORK_POOL_RESTS)
                break;
            return 0;
        default:
            return 0;
        }
    }
    return 1;
}
