#include "startmethods.h"
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static pid_t start(void (*body)(void), int *pidfd)
{
    int opened[2]; // the child waits until its pidfd is there: with SIGCHLD ignored it would be gone before that
    CHECK_EQUAL(0, pipe(opened));
    pid_t pid = fork();
    if (pid == 0) { char end; close(opened[1]); if (read(opened[0], &end, 1) == 0) body(); _exit(0); }
    *pidfd = sm_process_open(pid);
    close(opened[0]);
    close(opened[1]);
    CHECK(*pidfd >= 0);
    return pid;
}

static void exits_3(void) { _exit(3); }
static void dies_of_sigkill(void) { raise(SIGKILL); }
static void sleeps(void) { for (;;) pause(); }
static void dumps_core(void)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    abort();
}

static sm_exit_info reap(pid_t pid, int pidfd)
{
    sm_exit_info info = { .size = sizeof info };
    CHECK_EQUAL(1, sm_process_wait(pid, pidfd, pidfd < 0 ? -1 : 5000));
    CHECK_EQUAL(1, sm_process_reap(pid, pidfd, &info));
    return info;
}

static void an_exit_code_and_the_resource_usage_are_reported(void)
{
    int pidfd; pid_t pid = start(exits_3, &pidfd);
    sm_exit_info info = reap(pid, pidfd);
    CHECK_EQUAL(SM_EXIT_CODE, info.kind);
    CHECK_EQUAL(3, info.value);
    CHECK_EQUAL(1, info.has_usage);
    CHECK(info.max_rss_bytes > 0);
}

static void a_signal_is_reported_by_its_number(void)
{
    int pidfd; pid_t pid = start(dies_of_sigkill, &pidfd);
    sm_exit_info info = reap(pid, pidfd);
    CHECK_EQUAL(SM_EXIT_SIGNAL, info.kind);
    CHECK_EQUAL(SIGKILL, info.value);
    pid = start(dumps_core, &pidfd);
    info = reap(pid, pidfd);
    CHECK(info.kind == SM_EXIT_SIGNAL || info.kind == SM_EXIT_DUMPED);
    CHECK_EQUAL(SIGABRT, info.value);
}

static void a_running_child_is_signalled_by_pidfd(void)
{
    int pidfd; pid_t pid = start(sleeps, &pidfd);
    sm_exit_info info = { .size = sizeof info };
    CHECK_EQUAL(0, sm_process_reap(pid, pidfd, &info));
    CHECK_EQUAL(0, sm_process_wait(pid, pidfd, 10));
    CHECK_EQUAL(0, sm_process_signal(pid, pidfd, SIGTERM, SM_SIGNAL_PROCESS));
    info = reap(pid, pidfd);
    CHECK_EQUAL(SIGTERM, info.value);
    CHECK_EQUAL(-ESRCH, sm_process_signal(pid, pidfd, SIGTERM, SM_SIGNAL_PROCESS));
    CHECK_EQUAL(-ESRCH, sm_process_signal(pid, -1, SIGTERM, SM_SIGNAL_PROCESS));
}

static void a_group_is_signalled_through_its_leader(void)
{
    int pidfd; pid_t pid = start(sleeps, &pidfd);
    setpgid(pid, pid);
    CHECK_EQUAL(0, sm_process_signal(pid, pidfd, SIGTERM, SM_SIGNAL_GROUP));
    CHECK_EQUAL(SIGTERM, reap(pid, pidfd).value);
}

static void without_a_pidfd_the_pid_is_used_while_it_is_ours(void)
{
    int pidfd; pid_t pid = start(sleeps, &pidfd);
    CHECK_EQUAL(0, sm_process_signal(pid, -1, SIGTERM, SM_SIGNAL_PROCESS));
    CHECK_EQUAL(SIGTERM, reap(pid, -1).value);
}

static void a_status_that_somebody_else_took_is_told_by_the_pidfd_or_lost(void)
{
    int pidfd; pid_t pid = start(exits_3, &pidfd);
    CHECK_EQUAL(pid, waitpid(pid, NULL, 0));
    sm_exit_info info = { .size = sizeof info };
    CHECK_EQUAL(1, sm_process_reap(pid, pidfd, &info));
    CHECK(info.kind == SM_EXIT_LOST || (info.kind == SM_EXIT_CODE && info.value == 3));
    CHECK_EQUAL(0, info.has_usage);
    info.size = sizeof info;
    CHECK_EQUAL(1, sm_process_reap(pid, -1, &info));
    CHECK_EQUAL(SM_EXIT_LOST, info.kind);
}

static void with_sigchld_ignored_the_status_is_told_by_the_pidfd_or_lost(void)
{
    signal(SIGCHLD, SIG_IGN);
    int pidfd; pid_t pid = start(exits_3, &pidfd);
    sm_exit_info info = reap(pid, pidfd);
    CHECK(info.kind == SM_EXIT_LOST || (info.kind == SM_EXIT_CODE && info.value == 3));
}

static void a_child_without_an_exit_signal_is_waited_for(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
    if (pid == 0) _exit(7);
    int pidfd = sm_process_open(pid);
    sm_exit_info info = reap(pid, pidfd);
    CHECK_EQUAL(SM_EXIT_CODE, info.kind);
    CHECK_EQUAL(7, info.value);
}

static void other_children_are_left_alone(void)
{
    pid_t other = fork();
    if (other == 0) _exit(5);
    int pidfd; pid_t pid = start(exits_3, &pidfd);
    CHECK_EQUAL(3, reap(pid, pidfd).value);
    int status;
    CHECK_EQUAL(other, waitpid(other, &status, 0));
    CHECK_EQUAL(5, WEXITSTATUS(status));
}

static void the_reactor_tells_which_descriptor_is_ready(void)
{
    int pipe_ends[2]; CHECK_EQUAL(0, pipe(pipe_ends));
    int reactor = sm_reactor_create();
    CHECK(reactor >= 0);
    CHECK_EQUAL(0, sm_reactor_add(reactor, pipe_ends[0], SM_REACTOR_READ, 42));
    CHECK_EQUAL(-EEXIST, sm_reactor_add(reactor, pipe_ends[0], SM_REACTOR_READ, 43));
    CHECK_EQUAL(1, write(pipe_ends[1], "x", 1));
    sm_reactor_event events[4];
    CHECK_EQUAL(1, sm_reactor_wait(reactor, sm_process_id(), events, 4));
    CHECK_EQUAL(42, events[0].key);
    CHECK_EQUAL(-EOWNERDEAD, sm_reactor_wait(reactor, sm_process_id() + 1, events, 4));
    CHECK_EQUAL(0, sm_reactor_remove(reactor, pipe_ends[0]));
    CHECK_EQUAL(0, sm_close(reactor));
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(an_exit_code_and_the_resource_usage_are_reported), CASE(a_signal_is_reported_by_its_number),
        CASE(a_running_child_is_signalled_by_pidfd), CASE(a_group_is_signalled_through_its_leader),
        CASE(without_a_pidfd_the_pid_is_used_while_it_is_ours), CASE(a_status_that_somebody_else_took_is_told_by_the_pidfd_or_lost),
        CASE(with_sigchld_ignored_the_status_is_told_by_the_pidfd_or_lost), CASE(a_child_without_an_exit_signal_is_waited_for),
        CASE(other_children_are_left_alone), CASE(the_reactor_tells_which_descriptor_is_ready),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}
