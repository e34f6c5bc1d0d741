// The runtime's code memory as a server has it, without W^X: heaps and images in a row, in many mappings, with gaps between them.
#include "fork_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAGE = 4096, PIECES = 600, PIECE = 4 * PAGE, IMAGE = 8 * PAGE, IMAGE_PIECE = 100, SIZE = PIECES * PIECE, EVERYTHING = PROT_READ | PROT_WRITE | PROT_EXEC };

static char *memory;
static int image = -1;

// Of four pieces in a row two are there, and a gap that will be used later.
static int rights_of(int piece, int code)
{
    return piece % 4 == 0 ? code : piece % 4 == 1 ? PROT_READ | PROT_WRITE : PROT_NONE;
}

static void make_image(void)
{
    char page[PAGE] = "MZ";
    image = memfd_create("image", MFD_CLOEXEC);
    for (int i = 0; i < IMAGE / PAGE; i++) {
        page[PAGE - 1] = (char)i;
        CHECK_EQUAL(PAGE, write(image, page, PAGE));
    }
    char *place = memory + IMAGE_PIECE * PIECE;
    CHECK(mmap(place, IMAGE / 2, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, image, 0) == place);
    CHECK(mmap(place + IMAGE / 2, IMAGE / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, image, IMAGE / 2) == place + IMAGE / 2);
}

// With a page before and behind that belongs to nobody's heap.
static void make_code_memory(int code)
{
    memory = mmap(NULL, SIZE + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memory += PAGE;
    for (int i = 0; i < PIECES; i++) {
        int rights = rights_of(i, code);
        CHECK_EQUAL(0, mprotect(memory + i * PIECE, PIECE, rights));
        if (rights & PROT_WRITE)
            *(int *)(memory + i * PIECE) = i;
    }
    make_image();
}

static int is_as_before(void)
{
    for (int i = 0; i < PIECES; i++)
        if (rights_of(i, EVERYTHING) != PROT_NONE && i / 2 != IMAGE_PIECE / 2 && *(volatile int *)(memory + i * PIECE) != i)
            return 0;
    for (int i = 0; i < IMAGE / PAGE; i++)
        if (memory[IMAGE_PIECE * PIECE + i * PAGE] != 'M' || memory[IMAGE_PIECE * PIECE + i * PAGE + PAGE - 1] != (char)i)
            return 0;
    return 1;
}

// How many mappings there are of it, and how much of it is on huge pages.
static int count_mappings(const char *from, const char *to, long *huge)
{
    char line[512];
    int count = 0, inside = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    CHECK(maps != NULL);
    *huge = 0;
    while (fgets(line, sizeof line, maps)) {
        unsigned long start, end, kilobytes;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            inside = start < (unsigned long)to && (unsigned long)from < end;
            count += inside;
        }
        else if (inside && sscanf(line, "AnonHugePages: %lu kB", &kilobytes) == 1)
            *huge += (long)kilobytes * 1024;
    }
    fclose(maps);
    return count;
}

static int count_pieces(void)
{
    long huge;
    return count_mappings(memory, memory + SIZE, &huge);
}

static long huge_bytes(void)
{
    long huge;
    count_mappings(memory, memory + SIZE, &huge);
    return huge;
}

// Where there are no huge pages, nothing may have changed; the rest of a case has nothing to look at then.
static void consolidate(void)
{
    int before = count_pieces();
    int64_t huge = sm_fork_consolidate();
    CHECK(is_as_before());
    if (huge >= 0)
        return;
    printf("no huge pages here (error %d)\n", (int)-huge);
    CHECK_EQUAL(before, count_pieces());
    exit(0);
}

// Counts there, and notices when one of its numbers is lost.
static _Atomic int lost, enough;
static void *count_in_memory(void *argument)
{
    volatile long *word = (volatile long *)(memory + 4 * PIECE + 64);
    for (long number = 0; !atomic_load(&lost) && !atomic_load(&enough); *word = ++number) {
        if (*word != number)
            atomic_store(&lost, 1);
        if (number == 1)
            atomic_fetch_add(&started, 1);
    }
    atomic_fetch_add(&started, 1);
    return argument;
}

static void code_memory_in_many_mappings_becomes_one_beside_a_thread_that_writes_to_it(void)
{
    set_up();
    make_code_memory(EVERYTHING);
    CHECK(count_pieces() > PIECES / 2);
    start(count_in_memory, NULL);
    await_started(1);
    consolidate();
    atomic_store(&enough, 1);
    await_started(2);
    CHECK(!atomic_load(&lost));
    CHECK(count_pieces() <= 2);                      // gaps at its end are no part of it
    CHECK(huge_bytes() > 0);
    CHECK_EQUAL(0, memory[2 * PIECE]);               // a gap: it is to be used, and empty then
    CHECK_EQUAL(0, mprotect(memory + 2 * PIECE, PIECE, EVERYTHING));
}

static void what_a_child_shares_with_its_parent_goes_back_to_huge_pages(void)
{
    int told[2];
    char byte;
    set_up_beside_a_thread();
    make_code_memory(EVERYTHING);
    consolidate();
    long huge = huge_bytes();
    CHECK_EQUAL(0, pipe(told));
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0)
        _exit(read(told[0], &byte, 1) == 1 && is_as_before() ? 0 : 1);
    CHECK(pid > 0);
    for (int i = 0; i < PIECES; i += 4)
        *(int *)(memory + i * PIECE) = -1;
    CHECK_EQUAL(0, huge_bytes());
    CHECK(sm_fork_consolidate() >= huge);
    CHECK_EQUAL(huge, huge_bytes());
    CHECK_EQUAL(-1, *(int *)memory);
    CHECK_EQUAL(1, write(told[1], "x", 1));
    CHECK_EQUAL(0, exit_code_of(pid));
}

// Else a child that lives for long keeps a copy of all for itself, and the next one another.
static void what_long_lived_children_share_stays_on_small_pages_until_they_have_ended(void)
{
    enum { CHILDREN = 6 };
    int told[2], pids[CHILDREN], left = 0;
    char byte;
    set_up_beside_a_thread();
    make_code_memory(EVERYTHING);
    consolidate();
    long huge = huge_bytes();
    CHECK_EQUAL(0, pipe(told));
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = do_fork(SM_FORK_REVIVE_ALL, 2000000);
        if (pids[i] == 0)
            _exit(read(told[0], &byte, 1) == 1 ? 0 : 1);
        CHECK(pids[i] > 0);
        for (int piece = 0; piece < PIECES; piece += 4)
            *(int *)(memory + piece * PIECE) = i;
        left += sm_fork_consolidate() == -EAGAIN;
    }
    CHECK(left >= CHILDREN / 2 && left < CHILDREN);
    CHECK(huge_bytes() < huge);
    for (int i = 0; i < CHILDREN; i++)
        CHECK_EQUAL(1, write(told[1], "x", 1));
    for (int i = 0; i < CHILDREN; i++)
        CHECK_EQUAL(0, exit_code_of(pids[i]));
    CHECK(sm_fork_consolidate() > 0);
    CHECK_EQUAL(huge, huge_bytes());
}

static void memory_without_code_stays_as_it_is(void)
{
    set_up();
    make_code_memory(PROT_READ | PROT_WRITE);
    int before = count_pieces();
    consolidate();
    CHECK_EQUAL(before, count_pieces());
    CHECK_EQUAL(0, huge_bytes());
}

static void a_file_that_is_shared_stays_shared(void)
{
    set_up();
    make_code_memory(EVERYTHING);
    int file = memfd_create("shared", MFD_CLOEXEC);
    char *place = memory + 300 * PIECE;
    CHECK_EQUAL(0, ftruncate(file, PAGE));
    CHECK(mmap(place, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == place);
    *(int *)place = 300;
    consolidate();
    CHECK_EQUAL(4, pwrite(file, "MZxy", 4, 0));
    CHECK_EQUAL('x', place[2]);
}

// How many of these pages are in large folios: /proc/kpageflags, KPF_THP. -1: that may not be read here.
static int count_in_folios(const char *from, int pages)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC), count = 0;
    for (int i = 0; i < pages && count >= 0; i++) {
        uint64_t entry = 0, flag = 0;
        long got = pread(pagemap, &entry, sizeof entry, (off_t)(((uintptr_t)from / PAGE + (uintptr_t)i) * sizeof entry));
        entry &= (UINT64_C(1) << 55) - 1;
        if (got != sizeof entry || entry == 0 || pread(flags, &flag, sizeof flag, (off_t)(entry * sizeof flag)) != sizeof flag)
            count = -1;
        else
            count += (flag >> 22) & 1;
    }
    close(pagemap);
    close(flags);
    return count;
}

static int holds(const char *block, int pages, int number)
{
    for (int i = 0; i < pages; i++)
        if (*(const volatile int *)(block + i * PAGE) != number + i)
            return 0;
    return 1;
}

static void the_heap_keeps_what_is_in_it_and_grows_as_before(void)
{
    enum { PAGES = 400 };
    set_up_beside_a_thread();
    make_code_memory(EVERYTHING);
    char *block = sbrk(PAGES * PAGE);
    CHECK(block != (char *)-1);
    for (int i = 0; i < PAGES; i++)
        *(int *)(block + i * PAGE) = i;
    consolidate();
    CHECK(holds(block, PAGES, 0));
    int together = count_in_folios(block, PAGES);
    if (together < 0)
        printf("what pages are of may not be asked here\n");
    CHECK(together < 0 || together > PAGES / 2);
    char *more = sbrk(PAGES * PAGE);                 // malloc may have grown it too, meanwhile
    CHECK(more != (char *)-1 && more >= block + PAGES * PAGE);
    CHECK_EQUAL(0, more[PAGES * PAGE - 1]);
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0) {
        for (int i = 0; i < PAGES; i++)
            *(int *)(block + i * PAGE) += 1000;
        _exit(holds(block, PAGES, 1000) ? 0 : 1);
    }
    CHECK(pid > 0);
    CHECK_EQUAL(0, exit_code_of(pid));
    CHECK(holds(block, PAGES, 0));
}

static int count_there(const char *from, int pages)
{
    unsigned char there[1024];
    int count = 0;
    CHECK_EQUAL(0, mincore((void *)from, (size_t)pages * PAGE, there));
    for (int i = 0; i < pages; i++)
        count += there[i] & 1;
    return count;
}

static void a_heap_of_which_much_was_given_back_stays_as_it_is(void)
{
    enum { PAGES = 1000, KEPT = 100 };
    set_up();
    make_code_memory(EVERYTHING);
    char *end = sbrk(0);
    CHECK(sbrk((intptr_t)(-(uintptr_t)end % PAGE) + PAGES * PAGE) != (void *)-1);
    char *block = end + -(uintptr_t)end % PAGE;
    for (int i = 0; i < PAGES; i++)
        *(int *)(block + i * PAGE) = i;
    CHECK_EQUAL(0, madvise(block + KEPT * PAGE, (PAGES - KEPT) * PAGE, MADV_DONTNEED));
    consolidate();
    CHECK(holds(block, KEPT, 0));
    CHECK_EQUAL(KEPT, count_there(block, PAGES));
}

static int put(const char *folder, const char *name, long number)
{
    char path[256], text[32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CLOEXEC), length = snprintf(text, sizeof text, "%ld", number);
    int written = file >= 0 && write(file, text, (size_t)length) == length;
    if (file >= 0)
        close(file);
    return written;
}

// A memory cgroup with less room than the copy takes, for a process that has its own memory elsewhere. 0: none can be made here.
static int limit_memory(const char *folder, const char *limit, int process, long bytes)
{
    return mkdir(folder, 0700) == 0 && put(folder, limit, bytes) && put(folder, "cgroup.procs", process);
}

static void where_a_memory_cgroup_has_no_room_nobody_is_killed(void)
{
    enum { TOO_LITTLE = 3 << 20 };
    char old[128], new[128], byte;
    int go[2];
    set_up_beside_a_thread();
    make_code_memory(EVERYTHING);
    snprintf(old, sizeof old, "/sys/fs/cgroup/memory/consolidate-%d", (int)getpid());
    snprintf(new, sizeof new, "/sys/fs/cgroup/consolidate-%d", (int)getpid());
    CHECK_EQUAL(0, pipe(go));
    int pid = do_fork(SM_FORK_REVIVE_ALL, 2000000);
    if (pid == 0) {
        CHECK_EQUAL(1, read(go[0], &byte, 1));
        int64_t huge = byte == 'x' ? sm_fork_consolidate() : -ENOMEM;
        _exit(huge < 0 && is_as_before() ? 0 : 1);
    }
    CHECK(pid > 0);
    int limited = limit_memory(old, "memory.limit_in_bytes", pid, TOO_LITTLE) || limit_memory(new, "memory.max", pid, TOO_LITTLE);
    if (!limited)
        printf("no memory cgroups here\n");
    CHECK_EQUAL(1, write(go[1], limited ? "x" : "-", 1));
    int code = exit_code_of(pid);
    rmdir(old);
    rmdir(new);
    CHECK_EQUAL(0, code);
}

static const sm_test_case cases[] = {
    CASE(code_memory_in_many_mappings_becomes_one_beside_a_thread_that_writes_to_it),
    CASE(what_a_child_shares_with_its_parent_goes_back_to_huge_pages),
    CASE(what_long_lived_children_share_stays_on_small_pages_until_they_have_ended),
    CASE(memory_without_code_stays_as_it_is),
    CASE(a_file_that_is_shared_stays_shared),
    CASE(the_heap_keeps_what_is_in_it_and_grows_as_before),
    CASE(a_heap_of_which_much_was_given_back_stays_as_it_is),
    CASE(where_a_memory_cgroup_has_no_room_nobody_is_killed),
};

int main(int argc, char **argv)
{
    return sm_run_fork_tests(cases, sizeof cases / sizeof *cases, argc, argv);
}
