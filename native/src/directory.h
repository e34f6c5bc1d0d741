// What getdents64(2) fills in: children read directories without the C library's opendir, which allocates.
#ifndef SM_DIRECTORY_H
#define SM_DIRECTORY_H

#include <stdint.h>

struct directory_entry { uint64_t inode; int64_t offset; uint16_t length; uint8_t type; char name[]; };

#endif
