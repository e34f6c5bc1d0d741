// Who may stop the threads of this process, and what is done to stopped threads besides forking them: they are looked at, kept where they are, and their code memory is put in one piece.
#include "engine.h"

#include <linux/futex.h>
#include <signal.h>
#include <string.h>

static const uint64_t waking_limit_ns = 5000000000, looking_limit_ns = 500000000;
static _Atomic int turn;                 // one fork at a time; waited for with a value that is no mutex's

// Waits for this caller's turn. -EOWNERDEAD: the process was forked meanwhile, and this is the copy of the waiting thread in the child.
static int take_turn(int process)
{
    for (int free = 0; !atomic_compare_exchange_strong(&turn, &free, 1); free = 0)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    if ((int)syscall(SYS_getpid) == process)
        return 0;
    atomic_store(&turn, 0);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
    return -EOWNERDEAD;
}

void sm__give_turn(void)
{
    atomic_store(&turn, 0);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

int sm__arm_capture(sm_run *run, void *saved)
{
    run->signal = sm__capture_signal();
    int outcome = run->signal < 0 ? run->signal : sm__arm(run->signal, saved);
    if (outcome == 0 && (outcome = sm__wake_dormant(run->process, run->signal, sm__now() + waking_limit_ns)) < 0)
        sm__disarm(run->signal, saved);
    return outcome;
}

int sm__begin(sm_run *run, const sm_fork_options *options, sm_fork_result *result)
{
    memset(run, 0, sizeof *run);
    uint32_t size = result->size;
    memset(result, 0, sizeof *result);
    result->size = size;
    result->pidfd = -1;
    result->culprit_syscall = -1;
    run->options = options;
    run->result = result;
    run->process = (int)syscall(SYS_getpid);
    run->caller = (int)syscall(SYS_gettid);
    run->caller_pointer = __builtin_thread_pointer();
    if (!sm__engine.ready)
        return -ENOTSUP;
    if (sm_fork_is_foreign_child())
        return -ENOTRECOVERABLE;
    return take_turn(run->process);
}

// Parks every thread for a moment.
static int64_t with_all_parked(const sm_fork_options *options, int64_t (*act)(sm_run *run, void *argument), void *argument)
{
    sm_run run;
    sm_fork_result unused = { .size = sizeof unused };
    struct sigaction saved_action;
    if (options->size != sizeof *options)
        return -EINVAL;
    int64_t outcome = sm__begin(&run, options, &unused);
    if (outcome < 0)
        return outcome;
    sm__let_go();
    sm__mask_all(&run.mask);
    outcome = sm__arm_capture(&run, &saved_action);
    if (outcome == 0) {
        outcome = act(&run, argument);
        sm__disarm(run.signal, &saved_action);
    }
    sm__give_turn();
    sm__mask_restore(&run.mask);
    return outcome;
}

typedef struct { sm_thread_info *threads; int32_t capacity; } thread_table;

static int64_t inspect(sm_run *run, void *argument)
{
    const thread_table *table = argument;
    int count = sm__park_all(run, sm__now() + looking_limit_ns);
    if (count == 0)
        count = sm__describe_parked(run, table->threads, table->capacity);
    sm__release();
    return count;
}

int32_t sm_fork_inspect(const sm_fork_options *options, sm_thread_info *threads, int32_t capacity)
{
    thread_table table = { threads, capacity };
    return (int32_t)with_all_parked(options, inspect, &table);
}

static int64_t consolidate(sm_run *run, void *unused)
{
    (void)unused;
    int64_t outcome = sm__park_all(run, sm__now() + looking_limit_ns);
    if (outcome == 0)
        outcome = sm__consolidate();
    sm__release();
    return outcome;
}

int64_t sm_fork_consolidate(void)
{
    static int64_t huge = -EAGAIN;                   // not tried yet
    const sm_fork_options options = { .size = sizeof options };
    if (huge == -EAGAIN)
        return huge = with_all_parked(&options, consolidate, NULL);
    sm_run run;
    sm_fork_result unused = { .size = sizeof unused };
    int outcome = sm__begin(&run, &options, &unused);
    if (outcome < 0)
        return outcome;
    outcome = sm__consolidate_again();
    sm__give_turn();
    return outcome < 0 ? outcome : huge;
}

static int64_t hold(sm_run *run, void *unused)
{
    (void)unused;
    int outcome = sm__capture(run, sm__now());
    if (outcome == 0)
        sm__hold_or_release(run);
    return outcome < 0 ? outcome : sm__holds();
}

int32_t sm_fork_hold(void)
{
    const sm_fork_options options = { .size = sizeof options, .flags = SM_FORK_HOLD | SM_FORK_STRICT | SM_FORK_REVIVE_ALL };
    return (int32_t)with_all_parked(&options, hold, NULL);
}
