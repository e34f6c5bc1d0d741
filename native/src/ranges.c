// CHILD-SAFE: /proc/self/maps into a table, with raw reads and static storage.
#include "engine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

sm_mapping sm__mappings[SM_MAX_RANGES];
int sm__mapping_count;

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

// Part of a managed assembly? Its first part, where that is mapped, begins as a portable executable does, and not as a native library, which may
// have such a name too.
SM_UNSANITIZED static int is_managed(const sm_mapping *mapping)
{
    const sm_mapping *before = mapping - 1;
    if (mapping->offset == 0)
        return mapping->read && mapping->start[0] == 'M' && mapping->start[1] == 'Z';
    return before >= sm__mappings && before->inode == mapping->inode && before->managed;
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
    (void)sm__parse(&line, 16);
    line++;
    (void)sm__parse(&line, 16);
    line++;
    mapping->inode = (uint64_t)sm__parse(&line, 10);
    while (*line == ' ')
        line++;
    mapping->managed = mapping->inode != 0 && ends_with(line, ".dll") && is_managed(mapping);
    mapping->code = mapping->shared && strncmp(line, "/memfd:doublemapper", 19) == 0;
    mapping->heap = strncmp(line, "[heap]", 6) == 0;
    sm__mapping_count++;
}

// Returns the number of mappings, or -errno. -E2BIG: more than the table holds.
int sm__read_ranges(void)
{
    static char buffer[65536 + 1];
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), used = 0;
    if (file < 0)
        return -errno;
    sm__mapping_count = 0;
    for (ssize_t got; (got = read(file, buffer + used, sizeof buffer - 1 - (size_t)used)) > 0;) {
        used += (int)got;
        buffer[used] = 0;
        char *line = buffer;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (sm__mapping_count == SM_MAX_RANGES) {
                close(file);
                return -E2BIG;
            }
            add_line(line);
        }
        used -= (int)(line - buffer);
        memmove(buffer, line, (size_t)used);
    }
    close(file);
    return sm__mapping_count;
}

// Reads this process's own memory: 1, or 0 where not all of it is mapped. What another thread, or a wrong guess, has unmapped meanwhile is no crash.
int sm__peek(const void *address, void *buffer, size_t size)
{
    struct iovec local = { buffer, size }, remote = { (void *)address, size };
    return syscall(SYS_process_vm_readv, syscall(SYS_getpid), &local, 1, &remote, 1, 0) == (ssize_t)size;
}
