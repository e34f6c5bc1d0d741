// What the two halves of a start share: spawn.c runs in the parent, spawn_child.c in the child.
#ifndef SM_SPAWN_H
#define SM_SPAWN_H

#include "startmethods.h"

typedef struct {
    const sm_spawn_options *options;
    int32_t parent;          // pid of the starting process
    uint32_t stage, detail;  // written by the child when it fails
    int32_t error;
} sm__spawn_job;

// Becomes the program, or returns with the failure in the job. Never called in the parent.
void sm__spawn_child(sm__spawn_job *job);
// Makes every descriptor from first on close, except the targets of the options.
int sm__close_others(const sm_spawn_descriptor *keep, uint32_t count);
// The start itself, on the calling thread.
int32_t sm__spawn_here(const sm_spawn_options *options, sm_spawn_result *result);
// The same on the thread that never ends.
int32_t sm__spawn_on_immortal_thread(const sm_spawn_options *options, sm_spawn_result *result);

#endif
