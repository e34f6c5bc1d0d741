// What the tests of the fork engine share: threads to park, a fork, and its child's exit code.
#ifndef SM_FORK_TEST_H
#define SM_FORK_TEST_H

#include "startmethods.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static _Atomic int started;
static int fresh;

// Every case begins with this. The runner runs it in the child of a fork(2), where the engine refuses to work: so it starts this program
// again for the one case.
#define set_up() set_up_for(__func__)
static void set_up_for(const char *name)
{
    if (!fresh) {
        execl("/proc/self/exe", "test", name, (char *)NULL);
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

static inline uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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

static _Atomic int accompanied;
static inline void *wait_for_ever(void *argument)
{
    for (atomic_store(&accompanied, 1);;)
        pause();
    return argument;
}

// For a case that starts no thread itself: where glibc keeps a thread's id cannot be told from one small number, and where the counter of ids has
// begun anew that is what a test's is. A runtime never has one thread alone.
#define set_up_beside_a_thread() set_up_beside_a_thread_for(__func__)
static inline void set_up_beside_a_thread_for(const char *name)
{
    set_up_for(name);
    start(wait_for_ever, NULL);
    while (!atomic_load(&accompanied))
        pause_ms(1);
}

static int sm_run_fork_tests(const sm_test_case *cases, int count, int count_of_arguments, char **arguments)
{
    fresh = count_of_arguments == 2;
    for (int i = 0; fresh && i < count; i++)
        if (strcmp(cases[i].name, arguments[1]) == 0) {
            cases[i].run();
            _exit(0);
        }
    return sm_run_tests(cases, (size_t)count);
}

#endif
