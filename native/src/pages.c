// CHILD-SAFE: which pages of a mapping exist. Most of what a runtime maps for later it has never touched: to read that would make pages of it, at the
// price of a fault each, and find nothing but zeros. /proc/self/pagemap says it without touching; where it cannot be read, all pages count as there.
#include "engine.h"

#include <fcntl.h>

enum { PAGE = 4096 };   // x86-64

void sm__open_pages(sm_pages *pages)
{
    pages->file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

void sm__close_pages(sm_pages *pages)
{
    if (pages->file >= 0)
        close(pages->file);
}

void sm__pages_of(sm_pages *pages, char *start, char *end)
{
    pages->start = pages->chunk = start;
    pages->end = end;
    pages->count = 0;
}

static int exists(uint64_t entry)
{
    const uint64_t present = 1ull << 63, swapped = 1ull << 62;
    return (entry & (present | swapped)) != 0;
}

// Reads about the pages from pages->start on. Afterwards pages->chunk is the address of the first entry.
static int read_entries(sm_pages *pages)
{
    enum { ENTRIES = sizeof pages->entries / sizeof *pages->entries };
    size_t wanted = (size_t)(pages->end - pages->start) / PAGE;
    size_t size = (wanted < ENTRIES ? wanted : ENTRIES) * sizeof *pages->entries;
    long got = syscall(SYS_pread64, pages->file, pages->entries, size, (off_t)((uintptr_t)pages->start / PAGE * sizeof *pages->entries));
    pages->chunk = pages->start;
    pages->count = got < (long)sizeof *pages->entries ? 0 : (int)(got / (long)sizeof *pages->entries);
    return pages->count;
}

// The next run of pages that exist; 0 = no more.
int sm__next_pages(sm_pages *pages, sm_range *run)
{
    run->start = run->end = NULL;
    while (pages->start < pages->end) {
        int index = (int)((pages->start - pages->chunk) / PAGE);
        if (index >= pages->count) {
            if (pages->file < 0 || read_entries(pages) == 0) {
                if (!run->start)
                    run->start = pages->start;
                run->end = pages->start = pages->end;
                return 1;
            }
            index = 0;
        }
        int here = exists(pages->entries[index]);
        if (!here && run->start)
            return 1;
        pages->start += PAGE;
        if (here) {
            if (!run->start)
                run->start = pages->start - PAGE;
            run->end = pages->start;
        }
    }
    return run->start != NULL;
}
