// The fork engine and locks: a revived thread can release what it held when it was parked, whatever it was doing.
#include "fork_test.h"

#include <sys/mman.h>

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, told_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t tell = PTHREAD_COND_INITIALIZER;
static int told;

static void *count(void *argument)
{
    static _Atomic long number;
    atomic_fetch_add(&started, 1);
    for (;;)
        atomic_fetch_add(&number, 1);
    return argument;
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

static void await_waiting_holder(void)
{
    await_started(1);
    pthread_mutex_lock(&told_lock);                  // it waits by now
    pthread_mutex_unlock(&told_lock);
}

static void let_holder_go_on(void)
{
    pthread_mutex_lock(&told_lock);
    told = 1;
    pthread_cond_signal(&tell);
    pthread_mutex_unlock(&told_lock);
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

static void use_recursive(void)
{
    pthread_mutex_lock(&recursive);
    pthread_mutex_unlock(&recursive);
}

static void use_torn(void)
{
    pthread_mutex_lock(&torn.lock);
    pthread_mutex_unlock(&torn.lock);
}

static void use_written(void)
{
    pthread_rwlock_wrlock(&written);
    pthread_rwlock_unlock(&written);
}

static void every_child_can(void (*use)(void), int rounds)
{
    for (int round = 0; round < rounds; round++) {
        int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pid == 0) {
            alarm(10);
            for (int i = 0; i < 3; i++)
                use();
            _exit(0);
        }
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
}

static void a_revived_thread_releases_the_recursive_lock_that_it_held(void)
{
    set_up();
    for (int i = 0; i < 2; i++)
        start(lock_for_ever, NULL);
    every_child_can(use_recursive, 30);
}

// The moment is quiet: nobody runs, and nobody waits for the lock.
static void a_revived_thread_that_waits_releases_the_lock_that_it_held(void)
{
    set_up();
    start(hold_until_told, NULL);
    await_waiting_holder();
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0) {
        alarm(10);
        let_holder_go_on();
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
    every_child_can(use_torn, 100);
}

static void a_revived_thread_releases_the_write_lock_that_it_held(void)
{
    set_up();
    for (int i = 0; i < 2; i++)
        start(write_for_ever, NULL);
    every_child_can(use_written, 30);
}

// More locks than a parent notes for its child, in every place of a cache line that a lock may have, and over the edges of lines and pages.
enum { PLACES = 400, STRIDE = 72 };
static _Alignas(64) char places[PLACES * STRIDE];

static pthread_mutex_t *lock_at(int index)
{
    return (pthread_mutex_t *)(places + (size_t)index * STRIDE);
}

static void *hold_everywhere(void *argument)
{
    for (int i = 0; i < PLACES; i++)
        pthread_mutex_lock(lock_at(i));
    pthread_mutex_lock(&told_lock);
    atomic_fetch_add(&started, 1);
    while (!told)
        pthread_cond_wait(&tell, &told_lock);
    int failed = 0;
    for (int i = 0; i < PLACES; i++)
        failed += pthread_mutex_unlock(lock_at(i)) != 0;
    atomic_fetch_add(&started, failed == 0 ? 1 : 1000);
    pthread_mutex_unlock(&told_lock);
    return argument;
}

static void a_lock_is_released_in_the_child_wherever_it_lies(void)
{
    set_up();
    for (int i = 0; i < PLACES; i++)
        *lock_at(i) = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    start(hold_everywhere, NULL);
    await_waiting_holder();
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0) {
        alarm(10);
        let_holder_go_on();
        await_started(2);
        _exit(atomic_load(&started) == 2 ? 0 : 1);
    }
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
    close(last.pidfd);
}

// It holds no native locks, and is passed over. Its parts have gaps between them.
static void data_of_a_managed_assembly_is_left_alone(void)
{
    enum { PAGE = 4096 };
    char name[] = "/tmp/startmethods-XXXXXX";
    set_up();
    start(count, (void *)0);
    await_started(1);
    sm_thread_info thread[4];
    sm_fork_options options = { .size = sizeof options };
    CHECK_EQUAL(1, sm_fork_inspect(&options, thread, 4));
    int held[10] = { 1, 1, thread[0].tid, 1, 1 }, file = mkstemp(name);
    CHECK(file >= 0);
    unlink(name);
    CHECK_EQUAL(2, pwrite(file, "MZ", 2, 0));
    CHECK_EQUAL(0, ftruncate(file, 2 * PAGE));
    char *image = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(image != MAP_FAILED);
    CHECK(mmap(image, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == image);
    char *data = mmap(image + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, PAGE);
    CHECK(data == image + 2 * PAGE);
    memcpy(data + 64, held, sizeof held);
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0)
        _exit(memcmp(data + 64, held, sizeof held) == 0 ? 0 : 1);
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
    close(last.pidfd);
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

static const sm_test_case cases[] = {
    CASE(a_revived_thread_releases_the_recursive_lock_that_it_held),
    CASE(a_revived_thread_that_waits_releases_the_lock_that_it_held),
    CASE(a_lock_that_is_being_taken_or_released_has_the_right_owner_in_the_child),
    CASE(a_revived_thread_releases_the_write_lock_that_it_held),
    CASE(a_lock_is_released_in_the_child_wherever_it_lies),
    CASE(data_of_a_managed_assembly_is_left_alone),
    CASE(data_that_resembles_a_held_lock_is_left_alone),
};

int main(int count_of_arguments, char **arguments)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, count_of_arguments, arguments);
}
