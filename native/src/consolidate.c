// CHILD-SAFE: the runtime's code memory as one mapping, on huge pages. A runtime without W^X has its machine code, its loader heaps and the images of its assemblies in a row in one reservation,
// in a hundred mappings and more, since their rights and files differ. For each the kernel makes another one at each fork, and takes it apart at the end of the child; and each child faults in, piece by
// piece, code that all of them run. So a process that forks again and again has all that copied, once, into private memory that may be read, written and executed, and the kernel copies an entry
// for two megabytes of it. The C heap is put together too.
//
// Only while every other thread is parked: what one wrote between the copy and the exchange would be lost. It is exchanged by one mremap(2), so that the code that does it may lie in it.
#include "engine.h"
#include "huge_pages.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

enum { LONGEST_GAP = HUGE_PAGE, LEAST_MAPPINGS = 16, MOST_PIECES = 64, EVERYTHING = PROT_READ | PROT_WRITE | PROT_EXEC };
static sm_range pieces[MOST_PIECES];
static int piece_count;

static int is_code(const sm_mapping *mapping)
{
    return mapping->write && mapping->execute && !mapping->inode;
}

// Its neighbour in the file may be anything's; an image of an assembly begins with "MZ".
static int is_image(const sm_mapping *mapping)
{
    enum { FARTHEST = 16 };                          // its parts, and the gaps between them
    char magic[2];
    if (!mapping->inode)
        return 0;
    for (const sm_mapping *part = mapping; part >= sm__mappings && mapping - part < FARTHEST; part--)
        if (part->inode == mapping->inode && part->device == mapping->device && part->offset == 0)
            return sm__peek(part->start, magic, sizeof magic) && memcmp(magic, "MZ", 2) == 0;
    return 0;
}

static int is_stack(const sm_mapping *mapping)
{
    for (int i = 0; i < sm__slot_count; i++)
        if (mapping->start <= (char *)sm__slots[i].stack && (char *)sm__slots[i].stack < mapping->end)
            return 1;
    char *own = (char *)&mapping;
    return mapping->start <= own && own < mapping->end;
}

static int belongs(const sm_mapping *mapping)
{
    if (mapping->shared || mapping->heap || is_stack(mapping))
        return 0;
    if (mapping->inode)
        return is_image(mapping);
    return mapping->write || (!mapping->read && !mapping->execute && mapping->end - mapping->start <= LONGEST_GAP);
}

static char *huge_up(const char *address)
{
    return (char *)(((uintptr_t)address + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
}

static char *huge_down(const char *address)
{
    return (char *)((uintptr_t)address & ~(uintptr_t)(HUGE_PAGE - 1));
}

static int collapse(char *start, char *stop)
{
    return syscall(SYS_madvise, start, stop - start, MADV_COLLAPSE) == 0 ? 0 : -errno;
}

// New memory for what is at an address.
typedef struct { char *room, *new, *old; size_t size, room_size; } replacement;

// The new memory begins `offset` bytes behind the start of a huge page. Where the old one does too, whole huge pages stay huge when they are moved. What is moved otherwise is on small pages then, but they
// are still one folio's in a row, and what a fork, or the end of a child, does for each small page it does for those at once.
// All is on huge pages before there is anything in it: where a memory cgroup has no room for one, the kernel says so, but for a small page it kills somebody. It makes a huge page only of what is there: a byte.
static int begin(replacement *exchange, char *old, size_t size, size_t offset)
{
    enum { WORTH_A_FOLIO = HUGE_PAGE / 4 };
    exchange->size = size;
    exchange->old = old;
    exchange->room_size = size + 3 * HUGE_PAGE;     // one to align it, and what its ends leave of theirs
    exchange->room = (char *)syscall(SYS_mmap, NULL, exchange->room_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (exchange->room == MAP_FAILED)
        return -errno;
    exchange->new = huge_up(exchange->room) + offset;
    char *start = huge_up(exchange->new), *stop = huge_down(exchange->new + size);
    if (start - exchange->new >= WORTH_A_FOLIO)
        start -= HUGE_PAGE;
    if (exchange->new + size - stop >= WORTH_A_FOLIO)
        stop += HUGE_PAGE;
    for (char *page = start; page < stop; page += HUGE_PAGE)
        *(volatile char *)page = 0;
    int error = collapse(start, stop);
    if (error < 0)
        syscall(SYS_munmap, exchange->room, exchange->room_size);
    return error;
}

// Returns the bytes on huge pages; where it could not be copied, all is as it was.
static int64_t end(replacement *exchange, int rights, int error)
{
    if (error == 0 && syscall(SYS_mprotect, exchange->new, exchange->size, rights) != 0)
        error = -errno;
    if (error == 0 && syscall(SYS_mremap, exchange->new, exchange->size, exchange->size, MREMAP_MAYMOVE | MREMAP_FIXED, exchange->old) == -1)
        error = -errno;
    syscall(SYS_munmap, exchange->room, exchange->room_size);
    return error < 0 ? error : huge_down(exchange->new + exchange->size) - huge_up(exchange->new);
}

static int copy_all(const replacement *exchange, const sm_mapping *first, const sm_mapping *last)
{
    char *stop = exchange->old + exchange->size;
    int error = 0;
    for (const sm_mapping *mapping = first; error == 0 && mapping <= last; mapping++) {
        char *from = mapping->start > exchange->old ? mapping->start : exchange->old, *to = mapping->end < stop ? mapping->end : stop;
        if (mapping->read && from < to)
            error = sm__peek(from, exchange->new + (from - exchange->old), (size_t)(to - from)) ? 0 : -EFAULT;
    }
    return error;
}

// What the runtime has reserved behind it and not used yet belongs to it, up to the next huge page: its heaps grow there.
static char *end_with_reserve(const sm_mapping *last)
{
    const sm_mapping *next = last + 1, *behind = &sm__mappings[sm__mapping_count];
    char *wanted = huge_up(last->end), *reserved = last->end;
    for (; next < behind && next->start == reserved && reserved < wanted && !next->inode && !next->shared && !next->read && !next->write && !next->execute; next++)
        reserved = next->end;
    return reserved < wanted ? last->end : wanted;
}

SM_TABLE static sm_pages pages;

static long count_pages(char *start, char *stop)
{
    sm_range run;
    long there = 0;
    sm__pages_of(&pages, start, stop);
    while (sm__next_pages(&pages, &run))
        there += (run.end - run.start) / PAGE;
    return there;
}

// Code that hardly anybody has read yet stays in its file: a child that needs it reads it from there, as before.
static int is_cold(const sm_mapping *mapping, char *block)
{
    enum { FEW = HUGE_PAGE / PAGE / 4 };
    return mapping->inode && !mapping->write && count_pages(block, block + HUGE_PAGE) < FEW;
}

// Remembers it: what is written to comes off its huge page, and is put back later.
static int64_t exchange_piece(char *start, char *stop, const sm_mapping *first, const sm_mapping *last, int rights)
{
    replacement exchange;
    if (huge_up(start) >= huge_down(stop))
        return 0;
    if (piece_count == MOST_PIECES)
        return -E2BIG;
    int error = begin(&exchange, start, (size_t)(stop - start), (uintptr_t)start & (HUGE_PAGE - 1));
    int64_t huge = error < 0 ? error : end(&exchange, rights, copy_all(&exchange, first, last));
    if (huge >= 0)
        pieces[piece_count++] = (sm_range){ start, stop };
    return huge;
}

// The C heap, if it is one mapping: a piece with something asked for it (MADV_DONTFORK) would be one of its own. What malloc has given back is there again afterwards, so not if that is much of it.
static const sm_mapping *heap_to_exchange(void)
{
    const ptrdiff_t most = 32 * HUGE_PAGE;
    const sm_mapping *heap = NULL;
    for (int i = 0; i < sm__mapping_count; i++)
        if (sm__mappings[i].heap) {
            if (heap)
                return NULL;
            heap = &sm__mappings[i];
        }
    if (!heap || !heap->read || !heap->write || heap->execute || heap->end - heap->start > most)
        return NULL;
    sm__open_pages(&pages);
    long there = pages.file < 0 ? 0 : count_pages(heap->start, heap->end);
    sm__close_pages(&pages);
    return there * PAGE > (heap->end - heap->start) / 4 * 3 ? heap : NULL;
}

// Children write to it all over: on huge pages each of them would take those apart.
static void exchange_heap(void)
{
    replacement exchange;
    const sm_mapping *heap = heap_to_exchange();
    if (heap && begin(&exchange, heap->start, (size_t)(heap->end - heap->start), 0) == 0)
        end(&exchange, PROT_READ | PROT_WRITE, copy_all(&exchange, heap, heap));
}

static int64_t exchange_all(const sm_mapping *first, const sm_mapping *last)
{
    char *start = first->start;
    int64_t huge = 0;
    sm__open_pages(&pages);
    for (const sm_mapping *mapping = first; mapping <= last; mapping++)
        for (char *block = huge_up(mapping->start); huge >= 0 && block + HUGE_PAGE <= mapping->end; block += HUGE_PAGE)
            if (is_cold(mapping, block)) {
                int64_t done = exchange_piece(start, block, first, mapping, EVERYTHING);
                huge = done < 0 ? done : huge + done;
                start = block + HUGE_PAGE;
            }
    sm__close_pages(&pages);
    int64_t rest = huge < 0 ? huge : exchange_piece(start, end_with_reserve(last), first, last, EVERYTHING);
    return rest < 0 ? rest : huge + rest;
}

static const sm_mapping *mapping_of(const sm_range *range)
{
    for (int i = 0; i < sm__mapping_count; i++)
        if (sm__mappings[i].start <= range->start && range->end <= sm__mappings[i].end)
            return &sm__mappings[i];
    return NULL;
}

// The code of the runtime itself: as much of it as is whole huge pages. It may not be written before (a runtime may do that), nor afterwards.
static int64_t exchange_text(const sm_range *text)
{
    const sm_mapping *mapping = mapping_of(text);
    if (!mapping || !mapping->read || !mapping->execute || mapping->write || mapping->shared)
        return 0;
    return exchange_piece(huge_up(text->start), huge_down(text->end), mapping, mapping, PROT_READ | PROT_EXEC);
}

// From the first mapping on that is code or an image to the last that can be read, without a hole. Returns the bytes on huge pages.
static int64_t consolidate_from(int *index)
{
    int first = *index, last = -1, end = first, has_code = 0;
    for (; end < sm__mapping_count && (end == first || sm__mappings[end - 1].end == sm__mappings[end].start) && belongs(&sm__mappings[end]); end++) {
        has_code |= is_code(&sm__mappings[end]);
        last = sm__mappings[end].read ? end : last;
    }
    *index = end > first ? end : first + 1;
    return has_code && last - first >= LEAST_MAPPINGS ? exchange_all(&sm__mappings[first], &sm__mappings[last]) : 0;
}

static int is_read_only(const sm_mapping *mapping)
{
    return mapping->read && !mapping->write && !mapping->execute && !mapping->shared;
}

static int is_of_same_piece(const sm_mapping *one, const sm_mapping *next)
{
    return one->end == next->start && one->inode == next->inode && one->device == next->device && one->end - one->start + (int64_t)one->offset == (int64_t)next->offset;
}

// The headers and constants of a native library lie before and behind its code, in the file as in memory: with the same rights all three are one mapping. What the loader has relocated lies elsewhere in the file.
static void merge_library(const sm_mapping *text)
{
    if (text > sm__mappings && is_read_only(text - 1) && is_of_same_piece(text - 1, text))
        syscall(SYS_mprotect, text[-1].start, text[-1].end - text[-1].start, PROT_READ | PROT_EXEC);
    if (text + 1 < &sm__mappings[sm__mapping_count] && is_read_only(text + 1) && is_of_same_piece(text, text + 1))
        syscall(SYS_mprotect, text[1].start, text[1].end - text[1].start, PROT_READ | PROT_EXEC);
}

int64_t sm__consolidate(void)
{
    int count = sm__read_ranges();
    if (count < 0)
        return count;
    for (int i = 0; i < sm__mapping_count; i++)
        if (sm__mappings[i].inode && sm__mappings[i].execute && !sm__mappings[i].write && !sm__mappings[i].shared && !is_image(&sm__mappings[i]))
            merge_library(&sm__mappings[i]);
    int64_t huge = piece_count == 0 ? exchange_text(&sm__engine.core_text) : 0;
    for (int i = 0; huge >= 0 && i < sm__mapping_count;) {
        if (!is_code(&sm__mappings[i]) && !is_image(&sm__mappings[i])) {
            i++;
            continue;
        }
        int64_t done = consolidate_from(&i);
        huge = done < 0 ? done : huge + done;
    }
    if (huge >= 0)
        exchange_heap();
    return huge;
}

// What the runtime has begun to use since has its own rights, and is a mapping of its own; but memory that may not be touched may be somebody's guard by now.
static void merge_again(const sm_range *piece)
{
    for (int i = 0; i < sm__mapping_count; i++) {
        const sm_mapping *mapping = &sm__mappings[i];
        if (piece->start <= mapping->start && mapping->end <= piece->end && !mapping->inode && !mapping->shared && mapping->write && !mapping->execute)
            syscall(SYS_mprotect, mapping->start, mapping->end - mapping->start, EVERYTHING);
    }
}

// What else stands in the way stays there: a hole, for one, where code was unloaded.
static int is_busy(int error)
{
    return error == -EAGAIN || error == -EBUSY;
}

// As <linux/fs.h> has it since Linux 6.7. Before, no block is known to be huge.
typedef struct { uint64_t size, flags, start, end, walk_end, regions, region_count, most_pages, inverted, all_of, any_of, wanted; } page_scan;
typedef struct { uint64_t start, end, categories; } scanned_region;
_Static_assert(sizeof(page_scan) == 96, "as the kernel has it");
#define PAGE_SCAN _IOWR('f', 16, page_scan)

static int is_huge(int pagemap, const char *block)
{
    enum { HUGE = 1 << 6 };
    scanned_region found = { 0, 0, 0 };
    page_scan scan = { .size = sizeof scan, .start = (uintptr_t)block, .end = (uintptr_t)block + HUGE_PAGE, .regions = (uintptr_t)&found, .region_count = 1, .all_of = HUGE, .wanted = HUGE };
    return syscall(SYS_ioctl, pagemap, PAGE_SCAN, &scan) == 1 && found.end - found.start == HUGE_PAGE;
}

static int is_shared(int pagemap, const char *block)
{
    const uint64_t present = 1ull << 63, ours_alone = 1ull << 56;
    uint64_t entries[HUGE_PAGE / PAGE];
    long got = syscall(SYS_pread64, pagemap, entries, sizeof entries, (off_t)((uintptr_t)block / PAGE * sizeof *entries)) / (long)sizeof *entries;
    for (long i = 0; i < got; i++)
        if ((entries[i] & (present | ours_alone)) == present)
            return 1;
    return got <= 0;
}

// And what has been written to, while a child lived that shared it, is on small pages again. No thread minds this. -EAGAIN: not all could be moved, now.
// A block that children share is a copy of ours then, and theirs stays: of a server that learns a function for each of a hundred long-lived children each would have had its own. So that is done for the
// first few alone, and later when the children that share it have ended.
int sm__consolidate_again(void)
{
    static int64_t allowance = 8 * HUGE_PAGE;
    int error = piece_count > 0 ? sm__read_ranges() : 0, busy = 0, pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < piece_count && error >= 0; i++)
        merge_again(&pieces[i]);
    for (int i = 0; i < piece_count; i++)
        for (char *block = huge_up(pieces[i].start); block + HUGE_PAGE <= pieces[i].end; block += HUGE_PAGE) {
            if (is_huge(pagemap, block))
                continue;
            int shared = is_shared(pagemap, block);
            if (shared && allowance < HUGE_PAGE) {
                busy = 1;
                continue;
            }
            allowance -= shared ? HUGE_PAGE : 0;
            busy |= is_busy(collapse(block, block + HUGE_PAGE));
        }
    if (pagemap >= 0)
        close(pagemap);
    return error < 0 ? error : busy ? -EAGAIN : 0;
}
