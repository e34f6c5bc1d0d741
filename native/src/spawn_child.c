// CHILD-SAFE: the child's half of a start. It runs on borrowed memory beside the other threads of the parent, so: system calls and plain memory
// functions only. setuid and its like go raw, because the C library's would change the credentials of the *parent's* threads too.
// A failure is written into the job, which the parent reads when the child is gone: no status pipe, hence no descriptor that a mapping
// could collide with.
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SM_PATH_CAPACITY = 4096, SM_SIGNALS = 64, SM_BUSY_ATTEMPTS = 7 };

static int fail(sm__spawn_job *job, uint32_t stage, uint32_t detail, int error)
{
    job->stage = stage;
    job->detail = detail;
    job->error = error;
    return -1;
}

static int is_target(const sm_spawn_options *options, int descriptor)
{
    for (uint32_t i = 0; i < options->descriptor_count; i++)
        if (options->descriptors[i].target == descriptor)
            return 1;
    return 0;
}

// Step 1 moves every source that is somebody's target out of the way, above all targets; step 2 puts each where it belongs. So swaps and cycles of
// any length work. The copies are close-on-exec, and this process has a descriptor table of its own: the parent's flags stay as they are.
static int map_descriptors(sm__spawn_job *job)
{
    const sm_spawn_options *options = job->options;
    uint32_t count = options->descriptor_count;
    if (count == 0)
        return 0;
    int above = options->descriptors[count - 1].target + 1;
    int32_t moved[count];
    for (uint32_t i = 0; i < count; i++) {
        moved[i] = options->descriptors[i].source;
        if (moved[i] != options->descriptors[i].target && is_target(options, moved[i])) {
            moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, above);
            if (moved[i] < 0)
                return fail(job, SM_STAGE_DESCRIPTOR, i, errno);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        int target = options->descriptors[i].target;
        int result = moved[i] == target ? fcntl(target, F_SETFD, 0) : dup3(moved[i], target, 0);
        if (result < 0)
            return fail(job, SM_STAGE_DESCRIPTOR, i, errno);
    }
    return 0;
}

static int set_terminal(sm__spawn_job *job)
{
    const sm_spawn_options *options = job->options;
    if ((options->flags & SM_SPAWN_TERMINAL) && syscall(SYS_ioctl, options->controlling_terminal, TIOCSCTTY, 0) != 0)
        return fail(job, SM_STAGE_TERMINAL, 0, errno);
    return 0;
}

static int set_limits(sm__spawn_job *job)
{
    const sm_spawn_options *options = job->options;
    if (options->flags & SM_SPAWN_UMASK)
        umask((mode_t)options->umask);
    if ((options->flags & SM_SPAWN_NICE) && syscall(SYS_setpriority, PRIO_PROCESS, 0, options->nice) != 0)
        return fail(job, SM_STAGE_NICE, 0, errno);
    if (options->affinity != NULL && syscall(SYS_sched_setaffinity, 0, options->affinity_bytes, options->affinity) < 0)
        return fail(job, SM_STAGE_AFFINITY, 0, errno);
    for (uint32_t i = 0; i < options->limit_count; i++) {
        const sm_spawn_limit *limit = &options->limits[i];
        struct { uint64_t soft, hard; } now = { limit->soft, limit->hard }, old;   // struct rlimit64
        if (limit->keep_hard) {
            if (syscall(SYS_prlimit64, 0, limit->resource, NULL, &old) != 0)
                return fail(job, SM_STAGE_LIMIT, i, errno);
            now.hard = old.hard;
        }
        if (syscall(SYS_prlimit64, 0, limit->resource, &now, NULL) != 0)
            return fail(job, SM_STAGE_LIMIT, i, errno);
    }
    return 0;
}

// Groups, then group, then user: each step needs the privilege that the next one gives up. Real, effective and saved, so that no way leads back.
static int set_credentials(sm__spawn_job *job)
{
    const sm_spawn_options *options = job->options;
    if ((options->flags & SM_SPAWN_GROUPS) && syscall(SYS_setgroups, (long)options->group_count, options->groups) != 0)
        return fail(job, SM_STAGE_GROUPS, 0, errno);
    if ((options->flags & SM_SPAWN_GROUP) && syscall(SYS_setresgid, options->group, options->group, options->group) != 0)
        return fail(job, SM_STAGE_GROUP, 0, errno);
    if (options->flags & SM_SPAWN_USER) {
        if (syscall(SYS_setresuid, options->user, options->user, options->user) != 0)
            return fail(job, SM_STAGE_USER, 0, errno);
        if (options->user != 0 && syscall(SYS_setresuid, -1, 0, -1) == 0)
            return fail(job, SM_STAGE_USER, 0, EPERM);   // the way back to root is open: never run the program like this
    }
    return 0;
}

// exec resets handlers but keeps ignored signals ignored. Handlers must be gone before a signal is unblocked, because until exec they would
// run in the parent's memory. Layout of the kernel's struct sigaction, whose fields are all zero for SIG_DFL; the handler comes first.
static void reset_signals(const sm_spawn_options *options)
{
    struct { uint64_t handler, flags, restorer, mask; } action, plain;
    memset(&plain, 0, sizeof plain);
    for (int number = 1; number <= SM_SIGNALS; number++) {
        if (number == SIGKILL || number == SIGSTOP)
            continue;
        if (!((options->default_signals >> (number - 1)) & 1)
            && (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof(uint64_t)) != 0 || action.handler <= (uint64_t)(uintptr_t)SIG_IGN))
            continue;
        syscall(SYS_rt_sigaction, number, &plain, NULL, sizeof(uint64_t));
    }
}

// Another thread that forks while it writes a program keeps that program busy for an instant (golang/go#22315): wait a little, 127 ms in all.
static int execute(const sm_spawn_options *options, const char *path)
{
    for (int attempt = 0;; attempt++) {
        execve(path, (char *const *)options->argv, (char *const *)options->envp);
        if (errno != ETXTBSY || attempt == SM_BUSY_ATTEMPTS)
            return errno;
        struct timespec pause = { .tv_nsec = 1000000L << attempt };
        syscall(SYS_nanosleep, &pause, NULL);
    }
}

// As execvp: every directory of the list in turn (an empty one is the current directory); a program that may not be executed is remembered as the error.
static int search(const sm_spawn_options *options)
{
    if (options->search_path == NULL || strchr(options->file, '/') != NULL)
        return execute(options, options->file);
    char path[SM_PATH_CAPACITY];
    size_t name = strlen(options->file) + 1;
    int error = ENOENT;
    for (const char *from = options->search_path;;) {
        const char *to = strchr(from, ':');
        size_t length = to != NULL ? (size_t)(to - from) : strlen(from);
        if (length + 1 + name <= sizeof path) {
            memcpy(path, from, length);
            path[length] = '/';
            memcpy(path + length + (length != 0), options->file, name);
            int reason = execute(options, path);
            if (reason != ENOENT && reason != ENOTDIR && reason != EACCES && reason != ESTALE && reason != ENODEV && reason != ETIMEDOUT)
                return reason;
            if (reason == EACCES)
                error = EACCES;
        }
        if (to == NULL)
            return error;
        from = to + 1;
    }
}

void sm__spawn_child(sm__spawn_job *job)
{
    const sm_spawn_options *options = job->options;
    if ((options->flags & SM_SPAWN_SESSION) && setsid() < 0) {
        fail(job, SM_STAGE_SESSION, 0, errno);
        return;
    }
    if ((options->flags & SM_SPAWN_PROCESS_GROUP) && setpgid(0, options->process_group) != 0) {
        fail(job, SM_STAGE_PROCESS_GROUP, 0, errno);
        return;
    }
    if (map_descriptors(job) != 0 || set_terminal(job) != 0)
        return;
    int closed = sm__close_others(options->descriptors, options->descriptor_count);
    if (closed != 0) {
        fail(job, SM_STAGE_CLOSE, 0, -closed);
        return;
    }
    if (set_limits(job) != 0 || set_credentials(job) != 0)
        return;
    if (options->directory != NULL && chdir(options->directory) != 0) {
        fail(job, SM_STAGE_DIRECTORY, 0, errno);
        return;
    }
    if ((options->flags & SM_SPAWN_NO_NEW_PRIVILEGES) && syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        fail(job, SM_STAGE_NO_NEW_PRIVILEGES, 0, errno);
        return;
    }
    reset_signals(options);
    if (options->flags & SM_SPAWN_DIE_WITH_PARENT) {
        // After the credentials, whose change clears it; the parent may have ended before it was set.
        syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if ((int32_t)syscall(SYS_getppid) != job->parent) {
            fail(job, SM_STAGE_PARENT, 0, ESRCH);
            return;
        }
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &options->blocked_signals, NULL, sizeof options->blocked_signals);
    fail(job, SM_STAGE_EXEC, 0, search(options));
}
