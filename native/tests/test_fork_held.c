// Threads that stay parked in a process that forks again and again.
#include "waiting_threads.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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
    CHECK_EQUAL(1, sm_fork_hold_until(pipe_ends[0], 60000, -1));
    CHECK_EQUAL(0, tries_of_a_fork());
    char byte;
    CHECK_EQUAL(1, read(pipe_ends[0], &byte, 1));
    CHECK_EQUAL(0, sm_fork_hold_until(pipe_ends[0], 1, -1));
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
    CHECK_EQUAL(1, sm_fork_hold_until(pipe_ends[0], 1, -1));
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

static int is_dead(int socket)
{
    char byte;
    return recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

static void a_socket_is_a_dead_end_in_a_child_whether_it_was_there_when_threads_were_parked_or_came_later(void)
{
    int before[2], after[2], file = open("/proc/self/stat", O_RDONLY);
    char byte;
    set_up();
    CHECK_EQUAL(0, socketpair(AF_UNIX, SOCK_STREAM, 0, before));
    start_waiting(2, NULL);
    CHECK_EQUAL(1, sm_fork_hold());
    CHECK_EQUAL(0, socketpair(AF_UNIX, SOCK_STREAM, 0, after));
    int pid = do_fork(LATE | SM_FORK_HOLD, 2000000);
    if (pid == 0)
        _exit(is_dead(before[0]) && is_dead(after[0]) && read(file, &byte, 1) == 1 ? 0 : 1);
    CHECK(pid > 0);
    CHECK_EQUAL(0, last.tries);
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK_EQUAL(-1, recv(before[0], &byte, 1, MSG_DONTWAIT));   // here they live
    close(last.pidfd);
    close(file);
    for (int i = 0; i < 2; i++) {
        close(before[i]);
        close(after[i]);
    }
    sm_fork_let_go();
    sem_post(&wanted);
    sem_post(&wanted);
    CHECK(all_done(2));
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
    CASE(threads_stay_parked_from_one_fork_to_the_next_until_they_are_let_go),
    CASE(held_threads_are_let_go_when_nothing_is_asked_for),
    CASE(threads_are_held_before_the_first_fork),
    CASE(a_thread_that_waits_for_others_is_held_however_long_nothing_is_asked_for),
    CASE(a_thread_that_has_been_started_since_is_noticed_and_not_held),
    CASE(a_thread_is_held_only_where_it_was_seen_to_wait_before),
    CASE(a_socket_is_a_dead_end_in_a_child_whether_it_was_there_when_threads_were_parked_or_came_later),
    CASE(looking_at_the_threads_lets_them_go),
    CASE(pages_of_an_assembly_that_nobody_has_written_are_dropped_and_read_again),
};

int main(int count, char **arguments)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, count, arguments);
}
