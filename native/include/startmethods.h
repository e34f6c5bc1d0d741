// The whole ABI of libstartmethods. docs/architecture.md tells how the managed side uses it.
//
// Rules: every function returns >= 0 or -errno (never through errno); options travel in one struct whose first field is its size, and are
// extended at the end only; only fixed-width types cross; ownership of each descriptor is said at the function. The managed mirror of each
// section is src/StartMethods/Interop/Native.<Section>.cs, which asserts the same sizes and offsets.
#ifndef STARTMETHODS_H
#define STARTMETHODS_H

#include <stddef.h>
#include <stdint.h>

#define SM_API extern __attribute__((visibility("default")))

// ── library ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
// Bumped with every change of this header; the managed side refuses a library with another number.
#define SM_ABI_VERSION 1

// Returns SM_ABI_VERSION of the library that was loaded.
SM_API int32_t sm_abi_version(void);

#endif
