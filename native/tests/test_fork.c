// The fork engine without a runtime: threads parked, cloned, revived, frozen, refused.
#include "fork_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

static _Atomic long progress[4];

static void *count(void *argument)
{
    long index = (long)argument;
    atomic_fetch_add(&started, 1);
    for (;;)
        atomic_fetch_add(&progress[index], 1);
    return NULL;
}

static void *block_in_read(void *argument)
{
    char byte;
    atomic_fetch_add(&started, 1);
    return read(*(int *)argument, &byte, 1) == 1 ? argument : NULL;
}

static void *block_all_signals(void *argument)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    atomic_fetch_add(&started, 1);
    for (;;)
        pause_ms(1);
    return argument;
}

static int all_advance(int number)
{
    for (int i = 0; i < number; i++) {
        long before = atomic_load(&progress[i]);
        for (int waited = 0; atomic_load(&progress[i]) == before; waited++) {
            if (waited > 5000)
                return 0;
            pause_ms(1);
        }
    }
    return 1;
}

static void revived_threads_run_on_in_the_child_and_in_the_parent(void)
{
    set_up();
    for (long i = 0; i < 3; i++)
        start(count, (void *)i);
    await_started(3);
    for (int round = 0; round < 20; round++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pid == 0)
            _exit(all_advance(3) && last.revived == 3 ? 0 : 1);
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
        CHECK(all_advance(3));
    }
}

static void a_thread_blocked_in_a_call_is_left_behind(void)
{
    int pipe_ends[2];
    set_up();
    CHECK_EQUAL(0, pipe(pipe_ends));
    start(block_in_read, &pipe_ends[0]);
    await_started(1);
    int pid = do_fork(0, 2000000);
    if (pid == 0)
        _exit(last.frozen == 1 && last.revived == 0 ? 0 : 1);
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
}

static void a_running_thread_that_may_not_be_revived_is_named_and_nothing_happens(void)
{
    set_up();
    start(count, (void *)0);
    await_started(1);
    CHECK_EQUAL(-EBUSY, do_fork(0, 1000000));
    // The second where the time is over while the thread is being stopped: a busy machine under a sanitizer.
    CHECK(last.culprit != 0 && (strstr(last.why, "foreign native thread") || strstr(last.why, "did not stop for the fork")));
    CHECK(all_advance(1));
    struct sigaction action;
    for (int number = 36; number < 64; number++)
        CHECK(sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void a_thread_that_blocks_all_signals_is_named(void)
{
    set_up();
    start(block_all_signals, NULL);
    await_started(1);
    CHECK_EQUAL(-EBUSY, do_fork(SM_FORK_REVIVE_ALL, 50000));
    CHECK(last.culprit != 0);
}

static void burn_and_see_who_is_left(int signal)
{
    int process = getpid();
    (void)signal;
    for (uint64_t end = now_ns() + 3000000; now_ns() < end;) {}
    if (getpid() != process)
        _exit(7);
}

static void a_thread_that_handles_a_signal_does_not_go_on_to_do_so_in_the_child(void)
{
    pthread_t thread;
    set_up();
    signal(SIGTERM, burn_and_see_who_is_left);
    CHECK_EQUAL(0, pthread_create(&thread, NULL, count, (void *)0));
    await_started(1);
    for (int i = 0; i < 30; i++) {
        CHECK_EQUAL(0, pthread_kill(thread, SIGTERM));
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pid == 0)
            _exit(all_advance(1) ? 0 : 1);
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
}

static void the_kernel_notes_the_childs_id_before_anybody_speaks(void)
{
    set_up_beside_a_thread();
    int32_t *birth = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(birth != MAP_FAILED);
    sm_fork_options options = { .size = sizeof options, .flags = SM_FORK_NO_WAIT, .deadline_us = 1000000, .birth = birth };
    last.size = sizeof last;
    int pid = sm_fork(&options, &last);
    if (pid == 0)
        _exit(*birth == getpid() ? 0 : 1);
    CHECK_EQUAL(pid, *birth);
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK_EQUAL(0, close(last.pidfd));
}

static void inherited_sockets_are_dead_ends_and_a_kept_one_is_not(void)
{
    int dead[2], kept[2];
    char byte = 'x';
    set_up_beside_a_thread();
    CHECK_EQUAL(0, socketpair(AF_UNIX, SOCK_STREAM, 0, dead));
    CHECK_EQUAL(0, socketpair(AF_UNIX, SOCK_STREAM, 0, kept));
    signal(SIGPIPE, SIG_IGN);
    sm_fork_options options = { .size = sizeof options, .deadline_us = 1000000, .kept = &kept[1], .kept_count = 1 };
    last.size = sizeof last;
    int pid = sm_fork(&options, &last);
    if (pid == 0)
        _exit(write(dead[1], &byte, 1) == -1 && errno == EPIPE && write(kept[1], &byte, 1) == 1 ? 0 : 1);
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK_EQUAL(1, read(kept[0], &byte, 1));
    CHECK(recv(dead[0], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);   // and the parent's own end is still open
}

static void a_fork_does_not_hear_of_an_older_child_that_was_not_waited_for(void)
{
    int pipe_ends[2], pids[60];
    set_up();
    CHECK_EQUAL(0, pipe(pipe_ends));
    for (int i = 0; i < 8; i++)
        start(block_in_read, &pipe_ends[0]);
    await_started(8);
    pause_ms(5);
    for (int i = 0; i < 60; i++) {
        int waits = i % 2;
        pids[i] = do_fork(waits ? 0 : SM_FORK_REVIVE_ALL | SM_FORK_NO_WAIT, 2000000);
        if (pids[i] == 0)
            _exit(last.revived == (waits ? 0 : 8) ? 0 : 1);
        CHECK(pids[i] > 0);
        if (waits)
            CHECK_EQUAL(8, last.frozen);   // told by this child, not by the older one, which revives all
        close(last.pidfd);
    }
    for (int i = 0; i < 60; i++)
        CHECK_EQUAL(0, exit_code_of(pids[i]));
}

static _Atomic int busy = 1;

static void *be_busy_or_wait(void *argument)
{
    char byte;
    atomic_fetch_add(&started, 1);
    do {
        while (atomic_load(&busy)) {}
    } while (read(*(int *)argument, &byte, 1) == 1);
    return NULL;
}

static void fork_once(uint32_t flags)
{
    sm_fork_options options = { .size = sizeof options, .flags = SM_FORK_REVIVE_ALL | flags, .deadline_us = 5000000, .quiet_us = 200000 };
    last.size = sizeof last;
    int pid = sm_fork(&options, &last);
    if (pid == 0)
        _exit(0);
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
    close(last.pidfd);
}

static void a_process_that_is_always_busy_is_searched_for_a_quiet_moment_once(void)
{
    int pipe_ends[2];
    set_up();
    CHECK_EQUAL(0, pipe(pipe_ends));
    start(be_busy_or_wait, &pipe_ends[0]);
    await_started(1);
    fork_once(0);
    CHECK(last.tries > 1 && !last.quiet);
    fork_once(0);
    CHECK(last.tries == 1 && !last.quiet);
    atomic_store(&busy, 0);
    fork_once(SM_FORK_STRICT);
    CHECK(last.quiet);
    atomic_store(&busy, 1);
    CHECK_EQUAL(1, write(pipe_ends[1], "x", 1));
    long rounds = 0;
    do
        fork_once(0);
    while (last.quiet && ++rounds < 1000);   // the thread has not read that yet
    CHECK(last.tries > 1 && !last.quiet);
}

static void children_of_children_fork_too(void)
{
    set_up();
    start(count, (void *)0);
    await_started(1);
    for (int depth = 0; depth < 6; depth++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        CHECK(pid >= 0);
        if (pid != 0)
            _exit(exit_code_of(pid));
        CHECK(all_advance(1));
    }
    _exit(0);
}

static void a_child_of_a_foreign_fork_is_told_so(void)
{
    set_up();
    pid_t pid = fork();
    if (pid == 0)
        _exit(sm_fork_is_foreign_child() == 1 && do_fork(0, 1000) < 0 ? 0 : 1);
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK_EQUAL(0, sm_fork_is_foreign_child());
}

static const sm_test_case cases[] = {
    CASE(revived_threads_run_on_in_the_child_and_in_the_parent),
    CASE(a_thread_blocked_in_a_call_is_left_behind),
    CASE(a_running_thread_that_may_not_be_revived_is_named_and_nothing_happens),
    CASE(a_thread_that_blocks_all_signals_is_named),
    CASE(a_thread_that_handles_a_signal_does_not_go_on_to_do_so_in_the_child),
    CASE(the_kernel_notes_the_childs_id_before_anybody_speaks),
    CASE(inherited_sockets_are_dead_ends_and_a_kept_one_is_not),
    CASE(a_fork_does_not_hear_of_an_older_child_that_was_not_waited_for),
    CASE(a_process_that_is_always_busy_is_searched_for_a_quiet_moment_once),
    CASE(children_of_children_fork_too),
    CASE(a_child_of_a_foreign_fork_is_told_so),
};

int main(int count_of_arguments, char **arguments)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, count_of_arguments, arguments);
}
