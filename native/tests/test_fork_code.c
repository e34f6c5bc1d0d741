// Code memory as the runtime has it under W^X: one shared file, machine code mapped twice, data once.
#include "fork_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, DATA = 0, CODE = 4 * PAGE, BOTH = 8 * PAGE, SIZE = 1 << 30 };

static int file;
static volatile char *data, *code, *code_view, *both, *both_view;

static char *map(int protection, long offset, size_t size)
{
    char *memory = mmap(NULL, size, protection, MAP_SHARED, file, offset);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static void make_code_memory(void)
{
    file = memfd_create("doublemapper", MFD_CLOEXEC);
    CHECK(file >= 0);
    CHECK_EQUAL(0, ftruncate(file, SIZE));
    char *heap = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(heap != MAP_FAILED);
    data = mmap(heap, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, DATA);
    CHECK(data == heap);
    code = map(PROT_READ | PROT_EXEC, CODE, PAGE);
    code_view = map(PROT_READ | PROT_WRITE, CODE, PAGE);
    both = map(PROT_READ | PROT_WRITE, BOTH, PAGE);
    both_view = map(PROT_READ | PROT_WRITE, BOTH, PAGE);
    data[0] = 'a';
    data[2 * PAGE] = 'b';                            // and a page between them that was never touched
    code_view[0] = 'c';
    both[0] = 'd';
}

// Counts in data, at its own word, and notices when one of its numbers is lost.
static _Atomic int lost;
static void *count_in_data(void *argument)
{
    volatile long *word = (volatile long *)(data + 3 * PAGE);
    for (long number = 0; !atomic_load(&lost); *word = ++number) {
        if (*word != number)
            atomic_store(&lost, 1);
        if (number == 1)
            atomic_fetch_add(&started, 1);
    }
    return argument;
}

static int is_in_file(long from, long end)
{
    off_t found = lseek(file, from, SEEK_DATA);
    return found >= 0 && found < end;
}

static int is_as_before(void)
{
    return data[0] == 'a' && data[PAGE] == 0 && data[2 * PAGE] == 'b' && code[0] == 'c' && both[0] == 'd' && both_view[0] == 'd';
}

// In a child: what is written to one view is seen in the other.
static int has_both_views(void)
{
    code_view[1] = 'x';
    both_view[1] = 'y';
    both[2] = 'z';
    return code[1] == 'x' && both[1] == 'y' && both_view[2] == 'z';
}

// Forks a child that waits for what its parent writes meanwhile, and sees none of it; nor does the parent see what the child writes.
static void fork_a_child_of_its_own(uint32_t flags, int (*holds)(void))
{
    int told[2];
    char byte = 0;
    CHECK_EQUAL(0, pipe(told));
    int pid = do_fork(SM_FORK_REVIVE_ALL | flags, 2000000);
    if (pid == 0) {
        if (read(told[0], &byte, 1) != 1 || !is_as_before() || !has_both_views() || !holds())
            _exit(1);
        data[0] = data[PAGE] = data[2 * PAGE] = 'w';
        _exit(0);
    }
    CHECK(pid > 0);
    data[0] = data[PAGE] = code_view[0] = both[0] = 'p';
    CHECK_EQUAL(1, write(told[1], "x", 1));
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK(data[0] == 'p' && data[PAGE] == 'p' && data[2 * PAGE] == 'b' && code[0] == 'p' && code[1] == 0 && both_view[0] == 'p' && both[1] == 0);
    data[PAGE] = 0;
    data[0] = 'a';
    code_view[0] = 'c';
    both[0] = 'd';
    close(last.pidfd);
    close(told[0]);
    close(told[1]);
}

static int none_is_private(void)
{
    return sm_fork_check_code_data() == 0 && is_in_file(DATA, CODE);
}

static int what_is_mapped_once_is_private(void)
{
    return sm_fork_check_code_data() == 1 && !is_in_file(DATA, CODE) && is_in_file(CODE, CODE + PAGE) && !is_in_file(BOTH, BOTH + PAGE);
}

static int data_alone_is_private(void)
{
    return sm_fork_check_code_data() == 1 && !is_in_file(DATA, CODE) && is_in_file(CODE, CODE + PAGE) && is_in_file(BOTH, BOTH + PAGE);
}

static void a_child_has_code_memory_of_its_own(void)
{
    set_up_beside_a_thread();
    make_code_memory();
    for (int round = 0; round < 3; round++)
        fork_a_child_of_its_own(0, none_is_private);
    CHECK(none_is_private());
}

static void data_in_code_memory_becomes_private_once_and_code_stays_as_it_is(void)
{
    set_up();
    make_code_memory();
    start(count_in_data, NULL);
    await_started(1);
    for (int round = 0; round < 3; round++) {
        fork_a_child_of_its_own(SM_FORK_OWN_DATA, data_alone_is_private);
        CHECK(data_alone_is_private());
    }
    CHECK(!atomic_load(&lost));
    munmap((void *)both_view, PAGE);                 // a view that was there for a moment
    both_view = both;
    fork_a_child_of_its_own(SM_FORK_OWN_DATA, what_is_mapped_once_is_private);
}

static int is_one_mapping(const volatile char *start, const volatile char *end)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    while (!found && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        found = sscanf(line, "%lx-%lx", &from, &to) == 2 && from <= (unsigned long)start && (unsigned long)end <= to;
    }
    fclose(maps);
    return found;
}

// Else each fork of a process whose heaps grow would add mappings, which later forks copy.
static void data_that_grows_stays_one_mapping(void)
{
    enum { MORE = 16 * PAGE };
    set_up_beside_a_thread();
    make_code_memory();
    fork_a_child_of_its_own(SM_FORK_OWN_DATA, data_alone_is_private);
    char *more = mmap((char *)data + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, MORE);
    CHECK(more == data + 4 * PAGE);
    more[0] = 'm';
    fork_a_child_of_its_own(SM_FORK_OWN_DATA, data_alone_is_private);
    CHECK(more[0] == 'm' && !is_in_file(MORE, MORE + 4 * PAGE) && is_one_mapping(data, data + 8 * PAGE));
}

static void a_canary_has_private_data_and_its_parent_has_not(void)
{
    set_up_beside_a_thread();
    make_code_memory();
    fork_a_child_of_its_own(SM_FORK_OWN_DATA | SM_FORK_CANARY, data_alone_is_private);
    CHECK(none_is_private());
}

static void a_runtime_that_writes_to_its_data_through_the_file_is_noticed(void)
{
    set_up_beside_a_thread();
    make_code_memory();
    fork_a_child_of_its_own(SM_FORK_OWN_DATA, data_alone_is_private);
    char *view = map(PROT_READ | PROT_WRITE, DATA, PAGE);
    view[0] = 'v';
    CHECK_EQUAL(-EPROTO, sm_fork_check_code_data());
    munmap((void *)data, 4 * PAGE);                  // given back: its place may be used anew
    CHECK_EQUAL(1, sm_fork_check_code_data());
}

static void beside_a_child_of_a_foreign_fork_data_stays_where_it_is(void)
{
    int told[2];
    char byte;
    set_up_beside_a_thread();
    make_code_memory();
    CHECK_EQUAL(0, pipe(told));
    pid_t pid = fork();
    if (pid == 0)
        _exit(read(told[0], &byte, 1) == 1 && data[0] == 'q' ? 0 : 1);   // it shares that with us
    fork_a_child_of_its_own(SM_FORK_OWN_DATA, none_is_private);
    CHECK(none_is_private());
    data[0] = 'q';
    CHECK_EQUAL(1, write(told[1], "x", 1));
    CHECK_EQUAL(0, exit_code_of(pid));
}

static const sm_test_case cases[] = {
    CASE(a_child_has_code_memory_of_its_own),
    CASE(data_in_code_memory_becomes_private_once_and_code_stays_as_it_is),
    CASE(data_that_grows_stays_one_mapping),
    CASE(a_canary_has_private_data_and_its_parent_has_not),
    CASE(a_runtime_that_writes_to_its_data_through_the_file_is_noticed),
    CASE(beside_a_child_of_a_foreign_fork_data_stays_where_it_is),
};

int main(int argc, char **argv)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, argc, argv);
}
