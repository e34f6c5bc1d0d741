// CHILD-SAFE: the memory map of this process in a table, with raw system calls and static storage.
#include "engine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

SM_TABLE sm_mapping sm__mappings[SM_MAX_RANGES];
int sm__mapping_count;

// One mapping, asked for by an address, as <linux/fs.h> has it since Linux 6.11.
typedef struct {
    uint64_t size, flags, address, start, end, rights, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name, build_id;
} range_query;
_Static_assert(sizeof(range_query) == 104, "as the kernel has it");
#define RANGE_QUERY _IOWR('f', 17, range_query)
enum { READABLE = 1, WRITABLE = 2, EXECUTABLE = 4, SHARED = 8, THIS_OR_NEXT = 16 };

// As the kernel tells it in st_dev.
static uint64_t device_of(uint32_t major, uint32_t minor)
{
    return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

// The C heap is what the kernel calls so; it ends where the program break is.
static int is_heap(int file, const range_query *answer, uintptr_t program_break)
{
    char name[8] = "";
    range_query query = { .size = sizeof query, .address = answer->start, .name_size = sizeof name, .name = (uintptr_t)name };
    return answer->inode == 0 && answer->rights & WRITABLE && answer->end <= program_break
        && syscall(SYS_ioctl, file, RANGE_QUERY, &query) == 0 && memcmp(name, "[heap]", sizeof "[heap]") == 0;
}

// Asked for one by one, without the text that a kernel makes of them, and of their files' paths: a quarter of the time. 1: this kernel cannot be asked.
static int ask_for_ranges(int file, uint64_t wanted)
{
    enum { PAGE = 4096 };
    uintptr_t program_break = ((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    range_query query = { .size = sizeof query, .flags = THIS_OR_NEXT | wanted };
    sm__mapping_count = 0;
    for (;; query.address = query.end) {
        if (syscall(SYS_ioctl, file, RANGE_QUERY, &query) != 0)
            return errno == ENOENT ? sm__mapping_count : 1;
        if (sm__mapping_count == SM_MAX_RANGES)
            return -E2BIG;
        sm__mappings[sm__mapping_count++] = (sm_mapping){
            .start = (char *)query.start, .end = (char *)query.end, .offset = query.offset, .inode = query.inode, .device = device_of(query.major, query.minor),
            .read = query.rights & READABLE, .write = (query.rights & WRITABLE) != 0, .execute = (query.rights & EXECUTABLE) != 0,
            .shared = (query.rights & SHARED) != 0, .heap = (unsigned char)is_heap(file, &query, program_break),
        };
    }
}

// One line: "7f2d…-7f2e… rw-p 00000000 00:01 1234   /memfd:doublemapper (deleted)".
static void add_line(const char *line)
{
    sm_mapping *mapping = &sm__mappings[sm__mapping_count];
    mapping->start = (char *)sm__parse(&line, 16);
    line++;
    mapping->end = (char *)sm__parse(&line, 16);
    line++;
    mapping->read = line[0] == 'r';
    mapping->write = line[1] == 'w';
    mapping->execute = line[2] == 'x';
    mapping->shared = line[3] == 's';
    line += 5;
    mapping->offset = (uint64_t)sm__parse(&line, 16);
    line++;
    uint32_t major = (uint32_t)sm__parse(&line, 16);
    line++;
    mapping->device = device_of(major, (uint32_t)sm__parse(&line, 16));
    line++;
    mapping->inode = (uint64_t)sm__parse(&line, 10);
    while (*line == ' ')
        line++;
    mapping->heap = strncmp(line, "[heap]", 6) == 0;
    sm__mapping_count++;
}

static int read_lines(int file)
{
    SM_TABLE static char buffer[65536 + 1];
    int used = 0;
    sm__mapping_count = 0;
    for (ssize_t got; (got = read(file, buffer + used, sizeof buffer - 1 - (size_t)used)) > 0;) {
        used += (int)got;
        buffer[used] = 0;
        char *line = buffer;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (sm__mapping_count == SM_MAX_RANGES)
                return -E2BIG;
            add_line(line);
        }
        used -= (int)(line - buffer);
        memmove(buffer, line, (size_t)used);
    }
    return sm__mapping_count;
}

// Returns the number of mappings, or -errno. -E2BIG: more than the table holds.
static int read_ranges(uint64_t wanted)
{
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    int count = ask_for_ranges(file, wanted);
    if (count == 1)
        count = read_lines(file);
    close(file);
    return count;
}

int sm__read_ranges(void)
{
    return read_ranges(0);
}

// At least those that are shared with others: code memory is, and one mapping in ten.
int sm__read_shared_ranges(void)
{
    return read_ranges(SHARED);
}

// Part of a managed assembly? Its first part begins as a portable executable does, and not as a native library. Between its parts there are gaps, which are mappings of no file.
SM_UNSANITIZED int sm__is_managed(const sm_mapping *part)
{
    for (const sm_mapping *first = part; first >= sm__mappings && (first->inode == part->inode || first->inode == 0); first--)
        if (first->inode == part->inode && first->device == part->device && first->offset == 0)
            return first->read && first->start[0] == 'M' && first->start[1] == 'Z';
    return 0;
}

// Reads this process's own memory: 1, or 0 where not all of it is mapped. What another thread, or a wrong guess, has unmapped meanwhile is no crash.
int sm__peek(const void *address, void *buffer, size_t size)
{
    struct iovec local = { buffer, size }, remote = { (void *)address, size };
    return syscall(SYS_process_vm_readv, syscall(SYS_getpid), &local, 1, &remote, 1, 0) == (ssize_t)size;
}
