// CHILD-SAFE: the first steps of a forked child, in the order in which they must happen, before any thread but this one lives.
#include "engine.h"

#include <linux/futex.h>
#include <string.h>

void sm__wake(_Atomic int *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);   // shared between processes: not the private kind
}

static void tell(sm_run *run, int stage)
{
    atomic_store(&run->shared->stage, stage);
    if (stage >= run->until)
        sm__wake(&run->shared->stage);
}

void sm__child_failed(sm_run *run, int error)
{
    run->shared->error = error;
    tell(run, SM_STAGE_FAILED);
    for (;;)
        syscall(SYS_exit_group, 125);
}

static void require(sm_run *run, int result)
{
    if (result < 0)
        sm__child_failed(run, -result);
}

static void patch_process_ids(void)
{
    int process = (int)syscall(SYS_getpid);
    if (sm__engine.core_pid)
        *sm__engine.core_pid = process;
    if (sm__engine.system_pid)
        *sm__engine.system_pid = process;
}

// What the canary's parent will do, if the canary finds that it does no harm.
static void try_private_code_data(sm_run *run)
{
    if (!sm__has_code_memory())                      // looks at this child's own file from now on
        sm__child_failed(run, EIO);
    require(run, sm__read_ranges());
    sm__make_code_data_private();
}

void sm__child(sm_run *run)
{
    uint64_t start = sm__now();
    run->result->frozen = run->result->owners = 0;
    if (run->robust)
        syscall(SYS_set_robust_list, run->robust, run->robust_size);
    if (run->has_code_memory)
        require(run, sm__copy_code_contents());
    tell(run, SM_STAGE_COPIED);                      // the parent's threads may go on
    if (run->has_code_memory) {
        require(run, sm__map_code_copies());
        if (run->options->flags & SM_FORK_CANARY && run->options->flags & SM_FORK_OWN_DATA)
            try_private_code_data(run);
    }
    patch_process_ids();
    sm__forget_diagnostics();
    require(run, sm__own_descriptors(run));
    int revived = sm__revive_all(run);
    require(run, revived);
    sm__rewrite_thread_ids(run);                     // before any of them runs: the next garbage collection looks them up
    if (run->has_owners)                             // who waits may hold locks too: one in a static constructor, or in the middle of a collection
        require(run, sm__rewrite_owners(run));
    if (!run->quiet)
        sm__resend_activations();
    run->result->revived = run->shared->revived = (uint32_t)revived;
    run->shared->frozen = run->result->frozen;
    run->shared->owners = run->result->owners;
    run->result->child_ns = run->shared->child_ns = sm__now() - start;
    tell(run, SM_STAGE_READY);
}
