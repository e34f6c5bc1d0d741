// Threads that come back late in a young child.
#include "waiting_threads.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>

static void burn_ms(long ms)
{
    struct timespec now;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_sec == 0 && now.tv_nsec < ms * 1000000);
}

static void threads_that_wait_come_back_when_the_child_has_lived_for_a_moment(void)
{
    set_up();
    start_waiting(3, NULL);
    for (int round = 0; round < 50; round++) {
        int pid = do_fork(LATE, 2000000);
        if (pid == 0)
            _exit(last.revived == (last.quiet ? 1 : 3) && all_done(3) ? 0 : 1);
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
    CHECK(all_done(3));
}

static void a_child_that_forks_at_once_gets_its_threads_back_first(void)
{
    set_up();
    start_waiting(3, NULL);
    int generation = 0;
    for (; generation < 6; generation++) {
        int pid = do_fork(LATE, 2000000);
        if (pid < 0) {
            fprintf(stderr, "generation %d: %d, %s\n", generation, pid, last.why);
            _exit(1);
        }
        if (pid > 0) {
            int code = exit_code_of(pid);
            if (generation == 0) {
                CHECK_EQUAL(0, code);
                return;
            }
            _exit(code);
        }
    }
    _exit(all_done(3) ? 0 : 1);
}

static _Atomic uint64_t back_at;
static _Atomic int parent;

static void *note_when_back(void *nothing)
{
    (void)nothing;
    atomic_fetch_add(&started, 1);
    while (getpid() == atomic_load(&parent))
        poll(NULL, 0, 1);
    uint64_t nobody_yet = 0;
    atomic_compare_exchange_strong(&back_at, &nobody_yet, now_ns());
    return NULL;
}

// A thread that ran before would find ids that are being written, and locks of its own that are not its own yet.
static void no_thread_comes_back_before_the_child_is_whole(void)
{
    enum { SEARCHED = 1 << 28, A_MOMENT = 5000000 };    // a child looks for owners of locks in its heap for far longer than its threads sleep
    set_up();
    atomic_store(&parent, getpid());
    memset(sbrk(SEARCHED), 0, SEARCHED);
    for (int i = 0; i < 3; i++)
        start(note_when_back, NULL);
    await_started(3);
    pause_ms(2);
    int pid = do_fork(LATE, 2000000);
    if (pid == 0) {
        uint64_t whole_at = now_ns();
        while (atomic_load(&back_at) == 0)
            pause_ms(1);
        _exit(last.child_ns > 3 * A_MOMENT ? atomic_load(&back_at) + A_MOMENT > whole_at ? 0 : 1 : 2);
    }
    CHECK_EQUAL(0, exit_code_of(pid));
}

static int threads_of_user(unsigned user)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300], line[200];
        unsigned id;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (status && fgets(line, sizeof line, status))
            count += sscanf(line, "Uid: %u", &id) == 1 && id == user;
        if (status)
            fclose(status);
    }
    closedir(tasks);
    return count;
}

static void a_child_changes_its_user_at_any_time(void)
{
    enum { NOBODY = 65534, THREADS = 3 };
    unsigned user = getuid() == 0 ? NOBODY : getuid();
    set_up();
    start_waiting(THREADS, ".NET Tiered Com");
    for (int round = 0; round < 60; round++) {
        int pid = do_fork(LATE, 2000000);
        if (pid == 0) {
            struct timespec moment = { 0, round * 150000L };   // the others come back in the middle of that
            alarm(10);
            nanosleep(&moment, NULL);
            if (setuid(user) != 0)
                _exit(1);
            pause_ms(20);
            _exit(threads_of_user(user) == THREADS + 1 ? 0 : 2);
        }
        CHECK(pid > 0);
        CHECK_EQUAL(0, exit_code_of(pid));
        close(last.pidfd);
    }
    CHECK(all_done(THREADS));
}

static void the_thread_that_optimizes_comes_back_when_there_is_something_to_optimize(void)
{
    set_up();
    start_waiting(1, ".NET Tiered Com");
    int pid = do_fork(LATE, 2000000);
    if (pid == 0) {
        sem_post(&wanted);
        pause_ms(100);
        if (atomic_load(&done) != 0)
            _exit(1);
        burn_ms(60);
        _exit(all_done(1) ? 0 : 2);
    }
    CHECK_EQUAL(0, exit_code_of(pid));
}

static void a_child_forks_while_that_thread_rests(void)
{
    set_up();
    start_waiting(2, ".NET Tiered Com");
    int pid = do_fork(LATE, 2000000);
    if (pid == 0) {
        pause_ms(20);                                // the other one is back by then
        int child = do_fork(LATE, 2000000);
        if (child == 0)
            _exit(0);
        _exit(child > 0 && exit_code_of(child) == 0 && all_done(2) ? 0 : 1);
    }
    CHECK_EQUAL(0, exit_code_of(pid));
}

// A program that blocks a signal in all its threads and waits for it. The thread that rests had unblocked it: the signal went there, and ended the child.
static void a_signal_that_all_threads_block_waits_for_who_waits_for_it(void)
{
    enum { BLOCKED = 54 };
    sigset_t signals;
    set_up();
    sigemptyset(&signals);
    sigaddset(&signals, BLOCKED);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    start_waiting(2, ".NET Tiered Com");
    int pid = do_fork(LATE, 2000000);
    if (pid == 0) {
        pause_ms(50);                                // sent by now, while that thread rests
        struct timespec limit = { 5, 0 };
        _exit(sigtimedwait(&signals, NULL, &limit) == BLOCKED ? 0 : 1);
    }
    pause_ms(20);
    CHECK_EQUAL(0, kill(pid, BLOCKED));
    CHECK_EQUAL(0, exit_code_of(pid));
}

static const sm_test_case cases[] = {
    CASE(a_signal_that_all_threads_block_waits_for_who_waits_for_it),
    CASE(threads_that_wait_come_back_when_the_child_has_lived_for_a_moment),
    CASE(a_child_that_forks_at_once_gets_its_threads_back_first),
    CASE(no_thread_comes_back_before_the_child_is_whole),
    CASE(a_child_changes_its_user_at_any_time),
    CASE(the_thread_that_optimizes_comes_back_when_there_is_something_to_optimize),
    CASE(a_child_forks_while_that_thread_rests),
};

int main(int count, char **arguments)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, count, arguments);
}
