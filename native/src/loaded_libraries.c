// Which libraries are loaded. Those of the runtime and of the system lock and unlock within one call; of others nobody knows.
#include "engine.h"

#include <link.h>
#include <string.h>

static const char *const of_system[] = {
    "linux-vdso.", "ld-linux", "libc.", "libm.", "libdl.", "libpthread.", "librt.", "libresolv.", "libnss_", "libgcc_s.", "libstdc++.", "libz.", "libnuma.",
    "libssl.", "libcrypto.", "libicu", "libgssapi_krb5.", "libkrb5.", "libkrb5support.", "libk5crypto.", "libcom_err.", "libkeyutils.", "liblttng-ust",
    "libhostfxr.", "libhostpolicy.", "libstartmethods.",
};

typedef struct { char folder[4096]; size_t folder_length; int foreign; unsigned long long loaded; } library_list;

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int find_runtime(struct dl_phdr_info *info, size_t size, void *context)
{
    library_list *list = context;
    size_t length = (size_t)(file_name(info->dlpi_name) - info->dlpi_name);
    (void)size;
    if (strcmp(file_name(info->dlpi_name), "libcoreclr.so") != 0 || length >= sizeof list->folder)
        return 0;
    memcpy(list->folder, info->dlpi_name, length);
    list->folder_length = length;
    return 1;
}

// The program itself, the first one, has no name.
static int is_known(const library_list *list, const char *path)
{
    if (*path == 0 || (list->folder_length && strncmp(path, list->folder, list->folder_length) == 0 && !strchr(path + list->folder_length, '/')))
        return 1;
    for (size_t i = 0; i < sizeof of_system / sizeof *of_system; i++)
        if (strncmp(file_name(path), of_system[i], strlen(of_system[i])) == 0)
            return 1;
    return 0;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    library_list *list = context;
    (void)size;
    list->loaded = info->dlpi_adds;
    list->foreign |= !is_known(list, info->dlpi_name);
    return list->foreign;
}

static int count_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    *(unsigned long long *)context = info->dlpi_adds;
    return 1;
}

// Takes the loader's lock. What was foreign once may have left locks behind, and is foreign for good.
int sm__has_foreign_libraries(void)
{
    static library_list list;
    unsigned long long loaded = 0;
    dl_iterate_phdr(count_loaded, &loaded);
    if (list.foreign || list.loaded == loaded)
        return list.foreign;
    if (!list.folder_length)
        dl_iterate_phdr(find_runtime, &list);
    dl_iterate_phdr(look_at, &list);
    return list.foreign;
}
