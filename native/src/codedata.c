// CHILD-SAFE: data in code memory. Under W^X the runtime takes all memory of its loader heaps from one shared memory file, of which it maps a second time only what is
// machine code, to write to it. The rest, nine pages in ten, is data that is read and written where it lies, and shared for no reason but that it comes from there: a fork would
// have to copy it as well. So a process that forks gets private memory for it, with the same contents at the same place, once. From then on its children inherit it as they do all
// private memory, and only machine code is copied.
//
// A range counts as data where it may be written, is not executable, and is in no other mapping of the file. That the runtime will not map it a second time later is what a canary
// shows: it has its data so, lives, and looks whether anything was put into the file where its data was. The file has a hole there.
//
// Only while every other thread is parked: what one wrote between the copy and the exchange would be lost.
#include "engine.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { MOST_RANGES = 1024 };
typedef struct { const char *start; uint64_t offset, end; } private_range;
SM_TABLE static private_range made_private[MOST_RANGES];
static int range_count;

static uint64_t end_of(const sm_mapping *mapping)
{
    return mapping->offset + (uint64_t)(mapping->end - mapping->start);
}

static int is_mapped_twice(const sm_mapping *mapping)
{
    for (int i = 0; i < sm__mapping_count; i++) {
        const sm_mapping *other = &sm__mappings[i];
        if (other != mapping && sm__is_code(other) && other->offset < end_of(mapping) && mapping->offset < end_of(other))
            return 1;
    }
    return 0;
}

static int read_contents(int file, char *copy, uint64_t from, uint64_t end)
{
    for (uint64_t at = from; at < end;) {
        int64_t data = syscall(SYS_lseek, file, at, SEEK_DATA);
        if (data < 0 || (uint64_t)data >= end)
            return data >= 0 || errno == ENXIO ? 0 : -errno;
        int64_t hole = syscall(SYS_lseek, file, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        uint64_t stop = (uint64_t)hole < end ? (uint64_t)hole : end;
        for (at = (uint64_t)data; at < stop;) {
            int64_t got = syscall(SYS_pread64, file, copy + (at - from), stop - at, at);
            if (got <= 0)
                return got < 0 ? -errno : -EIO;
            at += (uint64_t)got;
        }
    }
    return 0;
}

static int map(const sm_mapping *mapping, int flags, int file, uint64_t offset)
{
    size_t size = (size_t)(mapping->end - mapping->start);
    return syscall(SYS_mmap, mapping->start, size, PROT_READ | PROT_WRITE, MAP_FIXED | flags, file, offset) == (long)mapping->start ? 0 : -errno;
}

// Mapped where it will be, not made elsewhere and moved there: only so does the kernel make one mapping of it and a neighbour that became private before. Heaps grow by a few pages at a
// time, and each fork would have added mappings. Until all is read the file has it too, and is mapped again where that fails.
static int make_private(int file, sm_mapping *mapping)
{
    if (range_count == MOST_RANGES)
        return -E2BIG;
    int error = map(mapping, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (error == 0)
        error = read_contents(file, mapping->start, mapping->offset, end_of(mapping));
    if (error != 0) {
        map(mapping, MAP_SHARED, file, mapping->offset);
        return error;
    }
    syscall(SYS_fallocate, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, mapping->offset, mapping->end - mapping->start);
    made_private[range_count++] = (private_range){ mapping->start, mapping->offset, end_of(mapping) };
    mapping->shared = 0;
    mapping->inode = mapping->device = mapping->offset = 0;
    return 0;
}

// After sm__read_ranges, whose table it keeps true. What cannot be made private stays as it is, and is copied with each fork.
void sm__make_code_data_private(void)
{
    if (sm__has_foreign_children())                  // one that runs on without exec has its data in this very file
        return;
    for (int i = 0; i < sm__mapping_count; i++) {
        sm_mapping *mapping = &sm__mappings[i];
        if (mapping->write && !mapping->execute && sm__is_code(mapping) && !is_mapped_twice(mapping) && make_private(sm__code_file(), mapping) != 0)
            return;
    }
}

// Memory that the runtime has given back since (code that was unloaded) is not there any more, and its place in the file is used anew.
static int is_private_still(const private_range *range)
{
    for (int i = 0; i < sm__mapping_count; i++)
        if (sm__mappings[i].start <= range->start && range->start < sm__mappings[i].end)
            return !sm__mappings[i].shared && sm__mappings[i].inode == 0;
    return 0;
}

// 1: this process has made some data private, and nothing has been put into the file where it was. 0: it has made none so. -EPROTO: the runtime writes to its data through the file.
int32_t sm_fork_check_code_data(void)
{
    int mappings = range_count > 0 ? sm__read_ranges() : 0;
    if (mappings < 0)
        return mappings;
    for (int i = 0; i < range_count; i++) {
        const private_range *range = &made_private[i];
        int64_t data = syscall(SYS_lseek, sm__code_file(), range->offset, SEEK_DATA);
        if (data >= 0 && (uint64_t)data < range->end && is_private_still(range))
            return -EPROTO;
    }
    return range_count > 0;
}
