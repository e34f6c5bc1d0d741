// Pages and huge pages, and how to ask for one now.
#ifndef SM_HUGE_PAGES_H
#define SM_HUGE_PAGES_H

#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25   // Linux 6.1
#endif

enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

#endif
