// Starts under system call filters, as containers have them.
#include "spawn_start.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void install_filter(const struct sock_filter *filter, unsigned short length)
{
    struct sock_fprog program = { .len = length, .filter = (struct sock_filter *)filter };
    CHECK_EQUAL(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQUAL(0, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

#define ERRNO(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define NUMBER(nr, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, skip)

static void start_signal_and_wait(int pidfds)
{
    start s;
    prepare(&s, "exit 5");
    CHECK_EQUAL(0, go(&s));
    CHECK_EQUAL(pidfds, s.result.pidfd >= 0);
    sm_exit_info info = { .size = sizeof info };
    CHECK_EQUAL(1, sm_process_wait(s.result.pid, s.result.pidfd, -1));
    CHECK_EQUAL(1, sm_process_reap(s.result.pid, s.result.pidfd, &info));
    CHECK_EQUAL(5, info.value);
    prepare(&s, "sleep 20");
    CHECK_EQUAL(0, go(&s));
    CHECK_EQUAL(0, sm_process_signal(s.result.pid, s.result.pidfd, SIGTERM, SM_SIGNAL_PROCESS));
    CHECK_EQUAL(1, sm_process_wait(s.result.pid, s.result.pidfd, -1));
    CHECK_EQUAL(1, sm_process_reap(s.result.pid, s.result.pidfd, &info));
    CHECK_EQUAL(SIGTERM, info.value);
    CHECK_EQUAL(-ESRCH, sm_process_signal(s.result.pid, s.result.pidfd, SIGTERM, SM_SIGNAL_PROCESS));
    _exit(0);   // the filter is not for the leak checker
}

static void a_filter_that_refuses_pidfd_calls_is_worked_around(void)
{
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        NUMBER(434, 1), ERRNO(ENOSYS),                      // pidfd_open
        NUMBER(424, 1), ERRNO(EPERM),                       // pidfd_send_signal
        NUMBER(436, 1), ERRNO(ENOSYS),                      // close_range
        NUMBER(435, 1), ERRNO(ENOSYS),                      // clone3
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install_filter(filter, sizeof filter / sizeof *filter);
    start_signal_and_wait(1);                               // clone's own pidfd is still there
}

static void without_any_pidfd_the_pid_is_enough(void)
{
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        NUMBER(434, 1), ERRNO(EPERM),
        NUMBER(SYS_clone, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1000, 0, 1), ERRNO(EINVAL),   // CLONE_PIDFD
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install_filter(filter, sizeof filter / sizeof *filter);
    start_signal_and_wait(0);
}

static void without_close_range_everything_else_is_closed_all_the_same(void)
{
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        NUMBER(436, 1), ERRNO(ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install_filter(filter, sizeof filter / sizeof *filter);
    for (int number = 20; number < 600; number++) CHECK_EQUAL(number, dup2(2, number));
    start s;
    list_descriptors(&s, 2);
    const char *text = output_of(&s);
    CHECK(strncmp(text, "0 1 2 ", 6) == 0);
    CHECK(strstr(text, " 7 ") != NULL);
    for (int number = 20; number < 600; number++) {
        char word[16];
        snprintf(word, sizeof word, " %d ", number);
        CHECK(number == 255 || strstr(text, word) == NULL);
    }
    _exit(0);
}

// Neither close_range nor /proc: a namespace of its own whose /proc is gone.
static void without_proc_too_everything_else_is_closed(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || umount2("/proc", MNT_DETACH) != 0)
        return;   // needs the right to change mounts
    const struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        NUMBER(436, 1), ERRNO(ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install_filter(filter, sizeof filter / sizeof *filter);
    for (int number = 20; number < 24; number++) CHECK_EQUAL(number, dup2(2, number));
    start s;
    prepare(&s, "for n in 7 20 21 22 23; do { true <&$n; } 2>/dev/null && echo $n; done; exit 0");
    s.options.file = "/bin/bash";
    s.map[3] = (sm_spawn_descriptor){ 2, 7 };
    s.options.descriptor_count = 4;
    CHECK_TEXT("7\n", output_of(&s));
    _exit(0);
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(a_filter_that_refuses_pidfd_calls_is_worked_around), CASE(without_any_pidfd_the_pid_is_enough),
        CASE(without_close_range_everything_else_is_closed_all_the_same), CASE(without_proc_too_everything_else_is_closed),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}
