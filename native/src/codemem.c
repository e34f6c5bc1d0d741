// CHILD-SAFE: memory for machine code under W^X. The runtime maps one shared memory file twice, writable and executable; a fork would leave
// parent and child writing into each other's code. The child makes a file of its own with the same contents and maps it over the old one.
// The parent's threads stay parked until the contents are copied, so that the copy is of one moment.
#include "engine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int old_file = -1, new_file = -1;
static struct stat old_state;

static int is_code_file(int descriptor)
{
    char path[32], target[64];
    sm_text text = { path, sizeof path, 0 };
    sm__text(&text, "/proc/self/fd/");
    sm__number(&text, descriptor);
    long length = syscall(SYS_readlink, path, target, sizeof target - 1);
    return length > 0 && strncmp(target, "/memfd:doublemapper", 19) == 0;
}

// The runtime opens its file before any managed code runs, and keeps it: its number is looked up once and checked each time. That there is none (W^X is
// off) is final too: looking again at each fork, in parent and child, cost a fork server's child a third of its time.
int sm__has_code_memory(void)
{
    static int searched;
    if (searched && old_file < 0)
        return 0;
    if (old_file < 0 || !is_code_file(old_file)) {
        searched = 1;
        old_file = -1;
        for (int i = 0; i < 1024 && old_file < 0; i++)
            if (is_code_file(i))
                old_file = i;
    }
    return old_file >= 0 && syscall(SYS_fstat, old_file, &old_state) == 0;
}

int sm__code_file(void)
{
    return old_file;
}

// By its identity, not its name: an application may have files of any name.
int sm__is_code(const sm_mapping *mapping)
{
    return mapping->shared && old_file >= 0 && mapping->inode == old_state.st_ino && mapping->device == old_state.st_dev;
}

static int copy_extent(off_t from, off_t end)
{
    SM_TABLE static char block[65536];
    for (off_t source = from, target = from; source < end;) {
        long copied = syscall(SYS_copy_file_range, old_file, &source, new_file, &target, (size_t)(end - source), 0);
        if (copied > 0)
            continue;
        // Kernels before 5.3 and some sandboxes cannot copy between memory files: by hand.
        size_t size = end - source < (off_t)sizeof block ? (size_t)(end - source) : sizeof block;
        long got = syscall(SYS_pread64, old_file, block, size, source);
        if (got <= 0 || syscall(SYS_pwrite64, new_file, block, (size_t)got, source) != got)
            return errno ? -errno : -EIO;
        source += got;
        target = source;
    }
    return 0;
}

// Copies what the runtime's code file holds (it is gigabytes long and nearly all hole) into a new one.
int sm__copy_code_contents(void)
{
    new_file = (int)syscall(SYS_memfd_create, "doublemapper", 1u);   // MFD_CLOEXEC; the name by which we and the runtime's tools know it
    if (new_file < 0)
        return -errno;
    if (syscall(SYS_ftruncate, new_file, old_state.st_size) != 0)
        return -errno;
    for (off_t at = 0; at < old_state.st_size;) {
        off_t data = (off_t)syscall(SYS_lseek, old_file, at, SEEK_DATA);
        if (data < 0)
            return errno == ENXIO ? 0 : -errno;
        off_t hole = (off_t)syscall(SYS_lseek, old_file, data, SEEK_HOLE);
        int copied = copy_extent(data, hole);
        if (copied != 0)
            return copied;
        at = hole;
    }
    return 0;
}

// Maps the copy over every mapping of the old file, at the same places with the same rights. The table of mappings is the parent's, from before the fork.
int sm__map_code_copies(void)
{
    int count = 0;
    for (int i = 0; i < sm__mapping_count; i++) {
        const sm_mapping *mapping = &sm__mappings[i];
        if (!sm__is_code(mapping))
            continue;
        int protection = (mapping->read ? PROT_READ : 0) | (mapping->write ? PROT_WRITE : 0) | (mapping->execute ? PROT_EXEC : 0);
        long mapped = syscall(SYS_mmap, mapping->start, (size_t)(mapping->end - mapping->start), protection, MAP_SHARED | MAP_FIXED, new_file,
                              mapping->offset);
        if (mapped != (long)mapping->start)
            return -errno;
        count++;
    }
    if (syscall(SYS_dup3, new_file, old_file, O_CLOEXEC) < 0)
        return -errno;
    close(new_file);
    new_file = -1;
    return count;
}
