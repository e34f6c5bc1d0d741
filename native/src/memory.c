// What a process can do with its memory to make its forks cheap: each page is an entry that a fork copies, while nobody may change any.
#include "huge_pages.h"
#include "startmethods.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGES = HUGE_PAGE / PAGE };

void sm_memory_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

int32_t sm_memory_keep_from_children(void *address, uint64_t size)
{
    return madvise(address, size, MADV_DONTFORK) < 0 ? -errno : 0;
}

// At least half of it is there: of a block that is mostly empty, a huge page would take memory that nobody uses.
static int is_used(int pagemap, uintptr_t block)
{
    uint64_t entries[PAGES];
    const uint64_t present = 1ull << 63;
    int used = 0;
    if (pread(pagemap, entries, sizeof entries, (off_t)(block / PAGE * sizeof *entries)) != (ssize_t)sizeof entries)
        return 0;
    for (int i = 0; i < PAGES; i++)
        used += (entries[i] & present) != 0;
    return used >= PAGES / 2;
}

// Private anonymous memory without a name: the heap of the garbage collector, and large blocks of malloc. "…-… rw-p 00000000 00:00 0"
static int is_candidate(const char *line, uintptr_t *start, uintptr_t *end)
{
    char rights[5];
    uint64_t inode;
    int length = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %" SCNu64 "%n", start, end, rights, &inode, &length) != 4)
        return 0;
    return strcmp(rights, "rw-p") == 0 && inode == 0 && line[length + (int)strspn(line + length, " ")] == '\n';
}

int64_t sm_memory_collapse(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps)
        return -errno;
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), error = pagemap < 0 ? errno : 0;
    int64_t huge = 0;
    char line[512];
    uintptr_t start, end;
    while (error == 0 && fgets(line, sizeof line, maps)) {
        if (!is_candidate(line, &start, &end))
            continue;
        for (uintptr_t block = (start + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1); error == 0 && block + HUGE_PAGE <= end; block += HUGE_PAGE) {
            if (!is_used(pagemap, block))
                continue;
            if (madvise((void *)block, HUGE_PAGE, MADV_COLLAPSE) == 0)
                huge += HUGE_PAGE;
            else if (errno == EINVAL && huge == 0)   // no such advice, or no huge pages at all; what may happen to single blocks does no harm
                error = ENOTSUP;
        }
    }
    if (pagemap >= 0)
        close(pagemap);
    fclose(maps);
    return error ? -error : huge;
}
