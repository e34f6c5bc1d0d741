// Waiting for and signalling one child at a time: always by pidfd or by a pid that is known to be an unreaped child, never waitpid(-1)
// and never a SIGCHLD handler, because both belong to the .NET runtime (System.Diagnostics.Process ends the program when its child is gone).
#include "startmethods.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define SM_P_PIDFD 3                          // P_PIDFD of <sys/wait.h>, Linux 5.4
#define SM_PIDFD_SIGNAL_PROCESS_GROUP 4u      // <linux/pidfd.h>, Linux 6.9

// struct pidfd_info of <linux/pidfd.h> in its first version: the kernel goes by the size that the ioctl number holds.
typedef struct {
    uint64_t mask, cgroup_id;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
} sm_pidfd_info;
_Static_assert(sizeof(sm_pidfd_info) == 64, "PIDFD_INFO_SIZE_VER0");
#define SM_PIDFD_GET_INFO _IOWR(0xFF, 11, sm_pidfd_info)
#define SM_PIDFD_INFO_EXIT (UINT64_C(1) << 3)

_Static_assert(sizeof(sm_exit_info) == 72 && offsetof(sm_exit_info, user_us) == 16, "mirrored by Native.Process.cs");

int32_t sm_close(int32_t descriptor)
{
    // Linux releases the number even when close is interrupted: closing again would hit a stranger.
    return close(descriptor) == 0 || errno == EINTR ? 0 : -errno;
}

int32_t sm_process_id(void)
{
    return (int32_t)syscall(SYS_getpid);
}

int32_t sm_process_open(int32_t pid)
{
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0u);
    return descriptor < 0 ? -errno : descriptor;
}

// Whether pid is a child of ours that nobody has reaped, so that the number cannot have been given to another process.
static int is_unreaped_child(int32_t pid)
{
    siginfo_t info;
    return syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL, NULL) == 0;
}

int32_t sm_process_signal(int32_t pid, int32_t pidfd, int32_t signo, uint32_t scope)
{
    if (pidfd >= 0) {
        unsigned flags = scope == SM_SIGNAL_GROUP ? SM_PIDFD_SIGNAL_PROCESS_GROUP : 0u;
        if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, flags) == 0)
            return 0;
        int tolerable = errno == ENOSYS || errno == EPERM || (errno == EINVAL && flags != 0);
        if (!tolerable)
            return -errno;
    }
    // A system call filter without pidfds, or a kernel before 6.9 for groups. EPERM may be genuine (a set-uid child): kill says so again.
    if (pid <= 0 || !is_unreaped_child(pid))
        return -ESRCH;
    return kill(scope == SM_SIGNAL_GROUP ? -pid : pid, signo) == 0 ? 0 : -errno;
}

static void set_status(sm_exit_info *info, int status)
{
    if (WIFEXITED(status)) {
        info->kind = SM_EXIT_CODE;
        info->value = WEXITSTATUS(status);
    } else {
        info->kind = WCOREDUMP(status) ? SM_EXIT_DUMPED : SM_EXIT_SIGNAL;
        info->value = WTERMSIG(status);
    }
}

static int64_t microseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static void set_from_wait(sm_exit_info *info, const siginfo_t *how, const struct rusage *usage)
{
    info->kind = how->si_code == CLD_EXITED ? SM_EXIT_CODE : how->si_code == CLD_DUMPED ? SM_EXIT_DUMPED : SM_EXIT_SIGNAL;
    info->value = how->si_status;
    info->has_usage = 1;
    info->user_us = microseconds(usage->ru_utime);
    info->system_us = microseconds(usage->ru_stime);
    info->max_rss_bytes = (int64_t)usage->ru_maxrss * 1024;
    info->minor_faults = usage->ru_minflt;
    info->major_faults = usage->ru_majflt;
    info->voluntary_switches = usage->ru_nvcsw;
    info->involuntary_switches = usage->ru_nivcsw;
}

// Somebody else took the status: .NET as PID 1 reaps every child, and so does the kernel where SIGCHLD is ignored. Since Linux 6.15 the pidfd
// tells it again, from the moment on at which the reaping is complete, which may be an instant after waitid has said ECHILD.
static void set_from_pidfd(sm_exit_info *info, int32_t pidfd)
{
    info->kind = SM_EXIT_LOST;
    for (int attempt = 0; attempt < 100; attempt++) {
        sm_pidfd_info answer;
        memset(&answer, 0, sizeof answer);
        answer.mask = SM_PIDFD_INFO_EXIT;
        if (ioctl(pidfd, SM_PIDFD_GET_INFO, &answer) != 0)
            return;   // an older kernel
        if (answer.mask & SM_PIDFD_INFO_EXIT) {
            set_status(info, answer.exit_code);
            return;
        }
        struct pollfd wait = { .fd = pidfd, .events = 0 };   // POLLHUP comes with the end of the reaping
        poll(&wait, 1, 1);
    }
}

int32_t sm_process_reap(int32_t pid, int32_t pidfd, sm_exit_info *info)
{
    if (info == NULL || info->size < sizeof *info)
        return -EINVAL;
    siginfo_t how;
    struct rusage usage;
    long result;
    do {
        how.si_pid = 0;
        result = pidfd >= 0 ? syscall(SYS_waitid, SM_P_PIDFD, pidfd, &how, WEXITED | WNOHANG | __WALL, &usage) : -1;
        // P_PIDFD came with Linux 5.4, pidfds with 5.2.
        if (pidfd < 0 || (result != 0 && errno == EINVAL))
            result = syscall(SYS_waitid, P_PID, pid, &how, WEXITED | WNOHANG | __WALL, &usage);
    } while (result != 0 && errno == EINTR);

    memset(info, 0, sizeof *info);
    info->size = sizeof *info;
    if (result == 0 && how.si_pid == 0)
        return 0;
    if (result == 0)
        set_from_wait(info, &how, &usage);
    else if (errno != ECHILD)
        return -errno;
    else if (pidfd >= 0 && sm_process_wait(pid, pidfd, 0) == 0)
        return 0;   // it runs, as a child of somebody else
    else if (pidfd >= 0)
        set_from_pidfd(info, pidfd);
    else
        info->kind = SM_EXIT_LOST;
    return 1;
}

int32_t sm_process_wait(int32_t pid, int32_t pidfd, int32_t timeout_ms)
{
    if (pidfd >= 0) {
        struct pollfd wait = { .fd = pidfd, .events = POLLIN };
        int ready = poll(&wait, 1, timeout_ms);
        return ready >= 0 ? ready : errno == EINTR ? 0 : -errno;
    }
    siginfo_t how;
    if (timeout_ms >= 0)
        return -EINVAL;
    while (syscall(SYS_waitid, P_PID, pid, &how, WEXITED | WNOWAIT | __WALL, NULL) != 0)
        if (errno != EINTR)
            return errno == ECHILD ? 1 : -errno;
    return 1;
}
