// The fork engine without a runtime: threads parked, cloned, revived, frozen, refused.
#include "startmethods.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

static _Atomic long progress[4];
static _Atomic int started;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t tell = PTHREAD_COND_INITIALIZER;
static int told;

static int fresh;

// Every case begins with this. The runner runs it in the child of a fork(2), where the engine refuses to work: so it starts this program
// again for the one case.
#define set_up() set_up_for(__func__)
static void set_up_for(const char *name)
{
    if (!fresh) {
        execl("/proc/self/exe", "test_fork", name, (char *)NULL);
        _exit(127);
    }
    char why[200] = "";
    sm_fork_setup setup = { .size = sizeof setup };
    CHECK_EQUAL(0, sm_fork_setup_engine(&setup, why, sizeof why));
}

static sm_fork_result last;

static int do_fork(uint32_t flags, uint64_t deadline_us)
{
    sm_fork_options options = { .size = sizeof options, .flags = flags, .deadline_us = deadline_us, .quiet_us = 500 };
    last.size = sizeof last;
    return sm_fork(&options, &last);
}

static int exit_code_of(int pid)
{
    int status = 0;
    CHECK_EQUAL(pid, waitpid(pid, &status, __WALL));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void pause_ms(long ms)
{
    struct timespec t = { 0, ms * 1000000 };
    nanosleep(&t, NULL);
}

static void *count(void *argument)
{
    long index = (long)argument;
    atomic_fetch_add(&started, 1);
    for (;;)
        atomic_fetch_add(&progress[index], 1);
    return NULL;
}

static void *lock_for_ever(void *argument)
{
    for (;;) {
        pthread_mutex_lock(&recursive);
        for (volatile int i = 0; i < 20000; i++) {}
        pthread_mutex_unlock(&recursive);
    }
    return argument;
}

// A lock that is taken and released without pause, and whose cache line another thread takes away all the time: so the few instructions at which the
// owner is noted are where the thread is mostly found.
static _Alignas(64) struct { pthread_mutex_t lock; _Atomic int noise; } torn = { PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, 0 };

static void *lock_without_pause(void *argument)
{
    atomic_fetch_add(&started, 1);
    for (;;) {
        pthread_mutex_lock(&torn.lock);
        pthread_mutex_unlock(&torn.lock);
    }
    return argument;
}

static void *tear(void *argument)
{
    atomic_fetch_add(&started, 1);
    for (;;)
        atomic_fetch_add(&torn.noise, 1);
    return argument;
}

static void *hold_until_told(void *argument)
{
    pthread_mutex_lock(&recursive);
    pthread_mutex_lock(&told_lock);
    atomic_fetch_add(&started, 1);
    while (!told)
        pthread_cond_wait(&tell, &told_lock);
    pthread_mutex_unlock(&told_lock);
    pthread_mutex_unlock(&recursive);
    return argument;
}

static void *write_for_ever(void *argument)
{
    for (;;) {
        pthread_rwlock_wrlock(&written);
        for (volatile int i = 0; i < 20000; i++) {}
        pthread_rwlock_unlock(&written);
    }
    return argument;
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

static void start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_EQUAL(0, pthread_create(&thread, NULL, body, argument));
}

static void await_started(int number)
{
    while (atomic_load(&started) < number)
        pause_ms(1);
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

static void a_revived_thread_releases_the_recursive_lock_that_it_held(void)
{
    set_up();
    for (int i = 0; i < 2; i++)
        start(lock_for_ever, NULL);
    for (int round = 0; round < 30; round++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pid == 0) {
            alarm(10);
            for (int i = 0; i < 3; i++) {
                pthread_mutex_lock(&recursive);
                pthread_mutex_unlock(&recursive);
            }
            _exit(0);
        }
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
}

// The moment is quiet: nobody runs, and nobody waits for the lock.
static void a_revived_thread_that_waits_releases_the_lock_that_it_held(void)
{
    set_up();
    start(hold_until_told, NULL);
    await_started(1);
    pthread_mutex_lock(&told_lock);                  // it waits by now
    pthread_mutex_unlock(&told_lock);
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0) {
        alarm(10);
        pthread_mutex_lock(&told_lock);
        told = 1;
        pthread_cond_signal(&tell);
        pthread_mutex_unlock(&told_lock);
        pthread_mutex_lock(&recursive);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
    close(last.pidfd);
}

// Between the reading of its id and the writing of it into the lock, a thread is never stopped.
static void a_lock_that_is_being_taken_or_released_has_the_right_owner_in_the_child(void)
{
    set_up();
    start(lock_without_pause, NULL);
    start(tear, NULL);
    await_started(2);
    for (int round = 0; round < 300; round++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pid == 0) {
            alarm(10);
            for (int i = 0; i < 3; i++) {
                pthread_mutex_lock(&torn.lock);
                pthread_mutex_unlock(&torn.lock);
            }
            _exit(0);
        }
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
}

static void a_revived_thread_releases_the_write_lock_that_it_held(void)
{
    set_up();
    for (int i = 0; i < 2; i++)
        start(write_for_ever, NULL);
    for (int round = 0; round < 30; round++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pid == 0) {
            alarm(10);
            for (int i = 0; i < 3; i++) {
                pthread_rwlock_wrlock(&written);
                pthread_rwlock_unlock(&written);
            }
            _exit(0);
        }
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
}

// In a container thread ids are small: numbers of all kinds look like the owner of a lock then.
static void data_that_resembles_a_held_lock_is_left_alone(void)
{
    static int numbers[4][10], inverted[4][10];   // inverted: what changes one may not change the other alike
    set_up();
    start(count, (void *)0);
    await_started(1);
    int other = 0;
    sm_thread_info thread[4];
    sm_fork_options options = { .size = sizeof options };
    CHECK_EQUAL(1, sm_fork_inspect(&options, thread, 4));
    other = thread[0].tid;
    memcpy(numbers, (int[4][10]){ { 1, 2, other, 4, 5, 6, 7, 8, 9, 10 }, { 1, 0, other, 1, 0 }, { 2, 1, other, 1, 1, 0, 1 }, { 1, 1, other, 1, 1, 0, 0, 0, 9 } },
           sizeof numbers);
    for (int i = 0; i < 40; i++)
        inverted[i / 10][i % 10] = ~numbers[i / 10][i % 10];
    for (int round = 0; round < 5; round++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        for (int i = 0; pid == 0 && i < 40; i++)
            if (numbers[i / 10][i % 10] != ~inverted[i / 10][i % 10])
                _exit(1 + i);
        if (pid == 0)
            _exit(0);
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
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

static void inherited_sockets_are_dead_ends_and_a_kept_one_is_not(void)
{
    int dead[2], kept[2];
    char byte = 'x';
    set_up();
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
    CASE(a_revived_thread_releases_the_recursive_lock_that_it_held),
    CASE(a_revived_thread_that_waits_releases_the_lock_that_it_held),
    CASE(a_lock_that_is_being_taken_or_released_has_the_right_owner_in_the_child),
    CASE(a_revived_thread_releases_the_write_lock_that_it_held),
    CASE(data_that_resembles_a_held_lock_is_left_alone),
    CASE(a_thread_blocked_in_a_call_is_left_behind),
    CASE(a_running_thread_that_may_not_be_revived_is_named_and_nothing_happens),
    CASE(a_thread_that_blocks_all_signals_is_named),
    CASE(inherited_sockets_are_dead_ends_and_a_kept_one_is_not),
    CASE(a_fork_does_not_hear_of_an_older_child_that_was_not_waited_for),
    CASE(children_of_children_fork_too),
    CASE(a_child_of_a_foreign_fork_is_told_so),
};

int main(int count_of_arguments, char **arguments)
{
    enum { CASES = sizeof cases / sizeof *cases };
    fresh = count_of_arguments == 2;
    for (int i = 0; fresh && i < CASES; i++)
        if (strcmp(cases[i].name, arguments[1]) == 0) {
            cases[i].run();
            _exit(0);
        }
    return sm_run_tests(cases, CASES);
}
