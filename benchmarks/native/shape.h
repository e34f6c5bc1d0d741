// Takes the shape of another process, from its /proc/PID/smaps: a mapping for each of its mappings, of the same file, rights and size, with as many pages of its own and as many that are
// the file's. What a fork of that process costs the kernel is what a fork of this one costs then.
#ifndef SHAPE_H
#define SHAPE_H

#include "reference.h"
#include <fcntl.h>

typedef struct { unsigned long start, end, offset; char rights[5], path[512]; long resident, own; } shape_part;

static long shape_page(void)
{
    return 4096;
}

// Every program has these itself.
static inline int is_everybodys(const char *path)
{
    return strncmp(path, "[v", 2) == 0 || strcmp(path, "[stack]") == 0 || strstr(path, "/libc.so") || strstr(path, "/ld-linux");
}

static inline int rights_of(const shape_part *part)
{
    return (part->rights[0] == 'r' ? PROT_READ : 0) | (part->rights[1] == 'w' ? PROT_WRITE : 0) | (part->rights[2] == 'x' ? PROT_EXEC : 0);
}

// Files of memory have no name to open them by: one stands for all.
static inline int open_file(const char *path)
{
    static int memory = -1;
    int file = path[0] == '/' && !strstr(path, "(deleted)") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (path[0] != '/' || file >= 0)
        return file;
    if (memory < 0 && ((memory = memfd_create("shape", MFD_CLOEXEC)) < 0 || ftruncate(memory, 1L << 40) != 0))
        fail("memfd_create");
    return memory;
}

// Where nothing else is, and away from its neighbours, with which the kernel would make one mapping of it.
static inline void take_part(const shape_part *part)
{
    static char *place = (char *)0x100000000000;
    size_t size = part->end - part->start;
    int file = open_file(part->path), shared = part->rights[3] == 's', rights = rights_of(part);
    int kind = (shared ? MAP_SHARED : MAP_PRIVATE) | (file < 0 ? MAP_ANONYMOUS : 0) | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
    volatile char *memory = mmap(place, size, shared ? PROT_READ : PROT_READ | PROT_WRITE, kind, file, file < 0 ? 0 : (off_t)part->offset);
    if (memory == MAP_FAILED)
        fail("mmap");
    for (long at = 0; at < part->resident << 10; at += shape_page())
        (void)memory[at];
    for (long at = 0; !shared && at < part->own << 10; at += shape_page())
        memory[at] = memory[at];
    if (mprotect((void *)memory, size, shared ? rights & ~PROT_WRITE : rights) != 0)
        fail("mprotect");
    place += size + (1 << 20);
}

static inline void take_shape_of(long process)
{
    char path[64], line[1024];
    shape_part part = { .path = "[v" }, next = part;  // many a line begins as a number might
    snprintf(path, sizeof path, "/proc/%ld/smaps", process);
    FILE *parts = fopen(path, "r");
    if (!parts)
        fail(path);
    while (fgets(line, sizeof line, parts)) {
        if (sscanf(line, "%lx-%lx %4s %lx", &next.start, &next.end, next.rights, &next.offset) == 4) {
            part = next;
            part.path[0] = 0;
            sscanf(line, "%*s %*s %*s %*s %*s %511[^\n]", part.path);
        }
        else if (sscanf(line, "Rss: %ld", &part.resident) != 1 && sscanf(line, "Anonymous: %ld", &part.own) == 1 && !is_everybodys(part.path))
            take_part(&part);
    }
    fclose(parts);
}

#endif
