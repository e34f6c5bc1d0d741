// The memory map, as the kernel answers for each mapping and as it writes it as text.
#include "test.h"

#include "../src/text.c"
#include "../src/ranges.c"

#include <sys/mman.h>
#include <sys/stat.h>

static sm_mapping asked[1000];

static void both_ways_tell_the_same(void)
{
    char *apart = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(apart != MAP_FAILED && sbrk(4096) != (void *)-1);
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), count = ask_for_ranges(file, 0);
    if (count == 1) {
        printf("(this kernel cannot be asked for single mappings)\n");
        return;
    }
    CHECK(count > 10 && count < 1000);
    memcpy(asked, sm__mappings, (size_t)count * sizeof *asked);
    int lines = read_lines(file), heaps = 0;
    // [vsyscall] is no mapping of the process.
    CHECK(lines == count || (lines == count + 1 && (intptr_t)sm__mappings[count].start < 0));
    for (int i = 0; i < count; i++) {
        const sm_mapping *line = &sm__mappings[i], *answer = &asked[i];
        CHECK(line->start == answer->start && line->end == answer->end);
        CHECK_EQUAL(line->offset, answer->offset);
        CHECK_EQUAL(line->inode, answer->inode);
        CHECK_EQUAL(line->device, answer->device);
        CHECK(line->read == answer->read && line->write == answer->write && line->execute == answer->execute && line->shared == answer->shared);
        CHECK_EQUAL(line->heap, answer->heap);
        heaps += line->heap;
    }
    CHECK_EQUAL(1, heaps);
}

static void a_mapping_is_told_by_the_identity_of_its_file(void)
{
    struct stat state;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), found = 0;
    CHECK(file >= 0 && fstat(file, &state) == 0);
    CHECK(sm__read_ranges() > 10);
    for (int i = 0; i < sm__mapping_count; i++)
        found += sm__mappings[i].inode == state.st_ino && sm__mappings[i].device == state.st_dev;
    CHECK(found > 1);
}

static const sm_test_case cases[] = { CASE(both_ways_tell_the_same), CASE(a_mapping_is_told_by_the_identity_of_its_file) };

int main(void)
{
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}
