// Threads that come back late: dormant in a young child, held in a parent that forks again and again.
#include "fork_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t wanted;
static _Atomic int done;

static void note_places(void)
{
    sm_thread_info threads[64];
    sm_fork_options options = { .size = sizeof options };
    CHECK(sm_fork_inspect(&options, threads, 64) >= 0);
}

// Waits, then takes a lock that knows its owner by the thread's id.
static void *wait_until_wanted(void *name)
{
    pthread_mutexattr_t kind;
    pthread_mutex_t mutex;
    if (name)
        prctl(PR_SET_NAME, name);
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex, &kind);
    atomic_fetch_add(&started, 1);
    while (sem_wait(&wanted) != 0) {}
    if (pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0)
        atomic_fetch_add(&done, 1);
    return NULL;
}

static void start_waiting(int count, char *name_of_first)
{
    sem_init(&wanted, 0, 0);
    for (int i = 0; i < count; i++)
        start(wait_until_wanted, i == 0 ? name_of_first : NULL);
    await_started(count);
    pause_ms(2);
    note_places();
}

static int all_done(int count)
{
    for (int i = 0; i < count; i++)
        sem_post(&wanted);
    for (int waited = 0; atomic_load(&done) < count; waited++) {
        if (waited > 5000)
            return 0;
        pause_ms(1);
    }
    return 1;
}

static void burn_ms(long ms)
{
    struct timespec now;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_sec == 0 && now.tv_nsec < ms * 1000000);
}

enum { LATE = SM_FORK_REVIVE_ALL | SM_FORK_DORMANT };

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

// 0: the threads were parked already.
static int tries_of_a_fork(void)
{
    int pid = do_fork(LATE | SM_FORK_HOLD, 2000000);
    if (pid == 0)
        _exit(all_done(2) ? 0 : 1);
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
    close(last.pidfd);
    CHECK_EQUAL(2, last.threads);
    return last.tries;
}

static void threads_stay_parked_from_one_fork_to_the_next_until_they_are_let_go(void)
{
    set_up();
    start_waiting(2, NULL);
    CHECK(tries_of_a_fork() > 0);
    sem_post(&wanted);
    sem_post(&wanted);
    for (int i = 0; i < 20; i++)
        CHECK_EQUAL(0, tries_of_a_fork());
    CHECK_EQUAL(0, atomic_load(&done));
    sm_fork_let_go();
    CHECK(all_done(2));
}

static void held_threads_are_let_go_when_nothing_is_asked_for(void)
{
    int pipe_ends[2];
    set_up();
    CHECK_EQUAL(0, pipe(pipe_ends));
    start_waiting(2, NULL);
    CHECK(tries_of_a_fork() > 0);
    CHECK_EQUAL(1, write(pipe_ends[1], "x", 1));
    CHECK_EQUAL(1, sm_fork_hold_until(pipe_ends[0], 60000));
    CHECK_EQUAL(0, tries_of_a_fork());
    char byte;
    CHECK_EQUAL(1, read(pipe_ends[0], &byte, 1));
    CHECK_EQUAL(0, sm_fork_hold_until(pipe_ends[0], 1));
    CHECK(all_done(2));
}

static void threads_are_held_before_the_first_fork(void)
{
    set_up();
    start_waiting(2, NULL);
    CHECK_EQUAL(1, sm_fork_hold());
    CHECK_EQUAL(0, tries_of_a_fork());
    sm_fork_let_go();
    CHECK(all_done(2));
}

static void a_thread_that_waits_for_others_is_held_however_long_nothing_is_asked_for(void)
{
    int pipe_ends[2];
    set_up();
    CHECK_EQUAL(0, pipe(pipe_ends));
    start_waiting(1, ".NET Finalizer");
    CHECK_EQUAL(1, sm_fork_hold());
    pid_t asker = fork();
    if (asker == 0) {
        pause_ms(20);
        _exit(write(pipe_ends[1], "x", 1) == 1 ? 0 : 1);
    }
    CHECK_EQUAL(1, sm_fork_hold_until(pipe_ends[0], 1));
    CHECK_EQUAL(0, exit_code_of(asker));
    sm_fork_let_go();
    CHECK(all_done(1));
}

static void a_thread_that_has_been_started_since_is_noticed_and_not_held(void)
{
    set_up();
    start_waiting(1, NULL);
    int pid = do_fork(LATE | SM_FORK_HOLD, 2000000);
    if (pid == 0)
        _exit(0);
    CHECK_EQUAL(0, exit_code_of(pid));
    start(wait_until_wanted, NULL);
    await_started(2);
    pause_ms(2);
    CHECK(tries_of_a_fork() > 0);
    CHECK(tries_of_a_fork() > 0);                    // nor is it held at once: it may be one that others wait for
    CHECK(all_done(2));
}

static _Atomic int asked, answered;

static __attribute__((noinline)) void answer(int question)
{
    while (atomic_load(&asked) < question)
        syscall(SYS_futex, &asked, FUTEX_WAIT_PRIVATE, question - 1, NULL, NULL, 0);
    atomic_store(&answered, question);
}

static __attribute__((noinline)) void answer_elsewhere(int question)
{
    volatile char room[256] = { 0 };                     // another frame on the stack
    answer(question + room[0]);
    answer(question + 1 + room[1]);
}

static void *answer_here_and_elsewhere(void *nothing)
{
    answer(1);
    answer_elsewhere(2);
    return nothing;
}

static int is_answered(int question)
{
    atomic_store(&asked, question);
    syscall(SYS_futex, &asked, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    for (int waited = 0; atomic_load(&answered) != question; waited++) {
        if (waited > 2000)
            return 0;
        pause_ms(1);
    }
    pause_ms(2);
    return 1;
}

// Who forks may wait for somebody who waits himself, at a place where he has not been seen before, and must not be held there.
static void a_thread_is_held_only_where_it_was_seen_to_wait_before(void)
{
    set_up();
    start(answer_here_and_elsewhere, NULL);
    pause_ms(2);
    note_places();
    CHECK(is_answered(1));
    int pid = do_fork(LATE | SM_FORK_HOLD, 2000000);
    if (pid == 0)
        _exit(last.revived == 1 ? 0 : 1);                // nor does it come back late
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK(is_answered(2));
}

static void looking_at_the_threads_lets_them_go(void)
{
    sm_thread_info threads[4];
    sm_fork_options options = { .size = sizeof options };
    set_up();
    start_waiting(2, NULL);
    CHECK(tries_of_a_fork() > 0);
    CHECK_EQUAL(2, sm_fork_inspect(&options, threads, 4));
    CHECK(all_done(2));
}

static int is_present(const char *page)
{
    uint64_t entry = 0;
    int pagemap = open("/proc/self/pagemap", O_RDONLY);
    CHECK_EQUAL((int)sizeof entry, (int)pread(pagemap, &entry, sizeof entry, (off_t)((uintptr_t)page / 4096 * sizeof entry)));
    close(pagemap);
    return (int)(entry >> 63);
}

static void pages_of_an_assembly_that_nobody_has_written_are_dropped_and_read_again(void)
{
    enum { PAGE = 4096 };
    char name[] = "/tmp/startmethods-XXXXXX.dll";
    set_up();
    int file = mkstemps(name, 4);
    CHECK(file >= 0 && ftruncate(file, 3 * PAGE) == 0 && pwrite(file, "abc", 3, 2 * PAGE) == 3);
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(pages != MAP_FAILED && pages[2 * PAGE] == 'a');
    pages[PAGE] = 'x';
    start_waiting(2, NULL);
    int tries = tries_of_a_fork(), untouched = is_present(pages + 2 * PAGE), written = is_present(pages + PAGE);
    unlink(name);
    CHECK(tries > 0);
    CHECK(!untouched && written);
    CHECK(pages[PAGE] == 'x' && pages[2 * PAGE] == 'a');
    sm_fork_let_go();
    CHECK(all_done(2));
}

static const sm_test_case cases[] = {
    CASE(threads_that_wait_come_back_when_the_child_has_lived_for_a_moment),
    CASE(a_child_that_forks_at_once_gets_its_threads_back_first),
    CASE(no_thread_comes_back_before_the_child_is_whole),
    CASE(a_child_changes_its_user_at_any_time),
    CASE(the_thread_that_optimizes_comes_back_when_there_is_something_to_optimize),
    CASE(a_child_forks_while_that_thread_rests),
    CASE(threads_stay_parked_from_one_fork_to_the_next_until_they_are_let_go),
    CASE(threads_are_held_before_the_first_fork), CASE(a_thread_that_waits_for_others_is_held_however_long_nothing_is_asked_for),
    CASE(held_threads_are_let_go_when_nothing_is_asked_for),
    CASE(a_thread_that_has_been_started_since_is_noticed_and_not_held),
    CASE(a_thread_is_held_only_where_it_was_seen_to_wait_before),
    CASE(looking_at_the_threads_lets_them_go),
    CASE(pages_of_an_assembly_that_nobody_has_written_are_dropped_and_read_again),
};

int main(int count, char **arguments)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, count, arguments);
}
