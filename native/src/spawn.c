// The parent's half of a start: a vfork-like clone whose child borrows this thread's memory until it execs (spawn_child.c).
#include "spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)0)
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

_Static_assert(sizeof(sm_spawn_descriptor) == 8 && sizeof(sm_spawn_limit) == 24, "mirrored by Native.Spawn.cs");
_Static_assert(sizeof(sm_spawn_options) == 136 && offsetof(sm_spawn_options, descriptor_count) == 80
               && offsetof(sm_spawn_options, default_signals) == 96 && offsetof(sm_spawn_options, user) == 132, "mirrored by Native.Spawn.cs");
_Static_assert(sizeof(sm_spawn_result) == 20, "mirrored by Native.Spawn.cs");

// The child needs a few frames, one path, one block of directory entries and one number for each descriptor.
enum { SM_CHILD_STACK = 32 * 1024, SM_CLONE_ATTEMPTS = 5, SM_DESCRIPTORS_MAX = 1024 };

static int child_main(void *argument)
{
    sm__spawn_child(argument);
    _exit(127);
}

// RLIMIT_NPROC and a full pids cgroup pass by themselves when other processes end: four more attempts over 85 ms, then the error.
static int is_worth_another_attempt(int attempt, int error)
{
    if (error != EAGAIN || attempt + 1 >= SM_CLONE_ATTEMPTS)
        return 0;
    struct timespec pause = { .tv_nsec = 1000000L << (2 * attempt) };
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        continue;
    return 1;
}

static pid_t start_child(sm__spawn_job *job, int32_t *pidfd)
{
    // A part of this frame, which stays as it is until the child has execed or ended: no mapping to make and to fault in for each start.
    _Alignas(16) char stack[SM_CHILD_STACK];
    // No exit signal: a child that fails before exec is none of the runtime's SIGCHLD handler's business (exec sets it to SIGCHLD again).
    int flags = CLONE_VM | CLONE_VFORK, with_pidfd = CLONE_PIDFD;
    for (int attempt = 0;; attempt++) {
        *pidfd = -1;
        pid_t pid = clone(child_main, stack + sizeof stack, flags | with_pidfd, job, pidfd);
        // A child that execs never leaves its frames: their red zones would stay in the shadow memory that it shared with us.
        ASAN_UNPOISON_MEMORY_REGION(stack, sizeof stack);
        if (pid >= 0)
            return pid;
        if (with_pidfd && (errno == EINVAL || errno == ENOSYS || errno == EPERM))
            with_pidfd = 0;
        else if (!is_worth_another_attempt(attempt, errno))
            return -errno;
    }
}

int32_t sm__spawn_here(const sm_spawn_options *options, sm_spawn_result *result)
{
    sm__spawn_job job = { .options = options, .parent = (int32_t)syscall(SYS_getpid) };
    // No handler may run in the child while it borrows our memory; raw, because the C library leaves out its own two signals.
    uint64_t everything = ~UINT64_C(0), before;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &before, sizeof before);
    pid_t pid = start_child(&job, &result->pidfd);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);

    if (pid < 0) {
        result->stage = SM_STAGE_CLONE;
        return pid;
    }
    if (job.stage != SM_STAGE_NONE) {
        siginfo_t how;
        while (syscall(SYS_waitid, P_PID, pid, &how, WEXITED | __WALL, NULL) != 0 && errno == EINTR)
            continue;
        if (result->pidfd >= 0)
            close(result->pidfd);
        result->pidfd = -1;
        result->stage = job.stage;
        result->detail = job.detail;
        return -job.error;
    }
    result->pid = pid;
    if (result->pidfd < 0)
        result->pidfd = sm_process_open(pid);
    if (result->pidfd < 0)
        result->pidfd = -1;
    return 0;
}

int32_t sm_spawn(const sm_spawn_options *options, sm_spawn_result *result)
{
    if (options == NULL || result == NULL || options->size < sizeof *options || result->size < sizeof *result
        || options->descriptor_count > SM_DESCRIPTORS_MAX)
        return -EINVAL;
    memset(result, 0, sizeof *result);
    result->size = sizeof *result;
    result->pidfd = -1;
    return options->flags & SM_SPAWN_DIE_WITH_PARENT ? sm__spawn_on_immortal_thread(options, result) : sm__spawn_here(options, result);
}
