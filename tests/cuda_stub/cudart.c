/* CUDA's runtime library without a GPU: takes every call, computes nothing, and writes down what would
   have been done. Memory of the device is the host's, and copies copy, so that what is put there is
   read again. A call that CUDA forbids while a stream is captured fails, and counts as a violation. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned x, y, z; } dim3;
enum { OK = 0, CAPTURE_UNSUPPORTED = 900, GLOBAL = 0, RELAXED = 2, LONGEST = 1 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *written[LONGEST];
static int lines, forbidden, capturing, capture_mode, graphs;
static pthread_t capturer;

static void note(const char *format, ...) {
  char *line;
  va_list values;
  va_start(values, format);
  if (vasprintf(&line, format, values) < 0) abort();
  va_end(values);
  pthread_mutex_lock(&lock);
  if (lines < LONGEST) written[lines++] = line;
  pthread_mutex_unlock(&lock);
}
void stub_note(const char *name) { note("%s", name); }
void stub_reset(void) { lines = forbidden = 0; }
int stub_lines(void) { return lines; }
const char *stub_line(int number) { return written[number]; }
int stub_violations(void) { return forbidden; }

/* A call that is unsafe while a stream is captured: in every thread, or in the one that captures. */
static int unsafe(const char *name) {
  if (!capturing || capture_mode == RELAXED) return OK;
  if (capture_mode != GLOBAL && !pthread_equal(capturer, pthread_self())) return OK;
  forbidden++;
  note("VIOLATION %s", name);
  return CAPTURE_UNSUPPORTED;
}

/* kernels: registered by name when the library that holds them is loaded */
static struct { const void *host; const char *name; } *kernels;
static int known, room;
void **__cudaRegisterFatBinary(void *binary) { static void *handle; return &handle; }
void __cudaRegisterFatBinaryEnd(void **handle) {}
void __cudaUnregisterFatBinary(void **handle) {}
void __cudaRegisterVar(void **handle, ...) {}
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, ...) {
  if (known == room) kernels = realloc(kernels, (room = 2 * room + 1024) * sizeof *kernels);
  kernels[known].host = host;
  kernels[known++].name = name;
}
static int launched(const void *kernel) {
  const char *name = "?";
  for (int i = known; i-- > 0 && *name == '?';) if (kernels[i].host == kernel) name = kernels[i].name;
  note("KERNEL %s", name);
  return OK;
}
static __thread struct { dim3 grid, block; size_t shared; void *stream; } pushed[64];
static __thread int depth;
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream) {
  pushed[depth].grid = grid, pushed[depth].block = block;
  pushed[depth].shared = shared, pushed[depth++].stream = stream;
  return OK;
}
int __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void **stream) {
  depth--;
  *grid = pushed[depth].grid, *block = pushed[depth].block;
  *shared = pushed[depth].shared, *stream = pushed[depth].stream;
  return OK;
}
int __cudaGetKernel(const void **kernel, const void *function) { *kernel = function; return OK; }
int cudaLaunchKernel(const void *f, dim3 g, dim3 b, void **a, size_t s, void *at) { return launched(f); }
int __cudaLaunchKernel(const void *f, dim3 g, dim3 b, void **a, size_t s, void *at) { return launched(f); }
int cudaLaunchCooperativeKernel(const void *f, dim3 g, dim3 b, void **a, size_t s, void *at) { return launched(f); }
int cudaLaunchKernelExC(const void *how, const void *f, void **a) { return launched(f); }
int cudaLaunchHostFunc(void *stream, void (*function)(void *), void *data) {
  note("cudaLaunchHostFunc");
  if (!capturing) function(data);
  return OK;
}
int cudaLibraryGetKernel(void **kernel, void *library, const char *name) { *kernel = strdup(name); return OK; }

/* the device: one of compute capability 9.0; offsets are those of CUDA 13's cudaDeviceProp */
int cudaGetDeviceCount(int *count) { *count = 1; return OK; }
int cudaGetDevice(int *device) { *device = 0; return OK; }
int cudaDriverGetVersion(int *version) { *version = 13000; return OK; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return OK; }
int cudaGetDeviceProperties(char *to, int device) {
  static const struct { short at, size; long long value; } facts[] = {
    {288, 8, 141LL << 30}, {296, 8, 49152}, {304, 4, 65536}, {308, 4, 32}, {320, 4, 1024}, {324, 4, 1024},
    {328, 4, 1024}, {332, 4, 64}, {336, 4, 2147483647}, {340, 4, 65535}, {344, 4, 65535}, {360, 4, 9},
    {384, 4, 132}, {560, 4, 1}, {588, 4, 1}, {596, 4, 60 << 20}, {604, 4, 2048}, {624, 8, 233472},
    {632, 4, 65536}, {668, 4, 1}, {672, 8, 232448}, {688, 4, 32}, {720, 4, 1}};
  memset(to, 0, 1008);
  strcpy(to, "stub");
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) memcpy(to + facts[i].at, &facts[i].value, facts[i].size);
  return OK;
}
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
  static const int facts[][2] = {{1, 1024}, {8, 49152}, {10, 32}, {16, 132}, {38, 60 << 20}, {75, 9}, {76, 0},
                                 {81, 233472}, {97, 232448}};
  *value = 1;
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) if (facts[i][0] == attribute) *value = facts[i][1];
  return OK;
}
int cudaDeviceSynchronize(void) { note("cudaDeviceSynchronize"); return unsafe("cudaDeviceSynchronize"); }
const char *cudaGetErrorName(int code) { return code == CAPTURE_UNSUPPORTED ? "cudaErrorStreamCaptureUnsupported" : "error"; }
const char *cudaGetErrorString(int code) { return "operation not permitted when stream is capturing"; }
int cudaFuncGetAttributes(int *to, const void *function) {
  memset(to, 0, 144);
  to[6] = 1024, to[7] = 64, to[8] = to[9] = 90;
  return OK;
}
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *count, const void *f, int b, size_t s, unsigned flags) { *count = 2; return OK; }
int cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version, unsigned long long flags, int *found) {
  *function = NULL;
  if (found) *found = 1;
  return OK;
}

/* memory */
static struct { char *at; size_t size; } held[LONGEST];
static int holds;
int cudaMalloc(void **at, size_t size) {
  if (unsafe("cudaMalloc")) return CAPTURE_UNSUPPORTED;
  if (posix_memalign(at, 256, size ? size : 1)) return 2;
  memset(*at, 0, size);
  pthread_mutex_lock(&lock);
  held[holds].at = *at, held[holds++].size = size;
  pthread_mutex_unlock(&lock);
  note("cudaMalloc %zu", size);
  return OK;
}
int cudaFree(void *at) {
  if (unsafe("cudaFree")) return CAPTURE_UNSUPPORTED;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < holds; i++) if (held[i].at == at) { held[i] = held[--holds]; break; }
  pthread_mutex_unlock(&lock);
  free(at);
  note("cudaFree");
  return OK;
}
int cudaMallocFromPoolAsync(void **at, size_t size, void *pool, void *stream) { return cudaMalloc(at, size); }
int cudaFreeAsync(void *at, void *stream) { return cudaFree(at); }
int cudaHostAlloc(void **at, size_t size, unsigned flags) {
  if (unsafe("cudaHostAlloc")) return CAPTURE_UNSUPPORTED;
  *at = calloc(1, size ? size : 1);
  return OK;
}
int cudaMallocHost(void **at, size_t size) { return cudaHostAlloc(at, size, 0); }
int cudaFreeHost(void *at) { free(at); return OK; }
int cudaMemGetInfo(size_t *left, size_t *all) { *left = 140ull << 30, *all = 141ull << 30; return OK; }
int cudaMemcpy(void *to, const void *from, size_t size, int kind) {
  note("cudaMemcpy %d %zu", kind, size);
  if (unsafe("cudaMemcpy")) return CAPTURE_UNSUPPORTED;
  memmove(to, from, size);
  return OK;
}
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
  note("cudaMemcpyAsync %d %zu", kind, size);
  if (!capturing) memmove(to, from, size);
  return OK;
}
int cudaMemset(void *at, int value, size_t size) { note("cudaMemset"); memset(at, value, size); return OK; }
int cudaMemsetAsync(void *at, int value, size_t size, void *stream) {
  note("cudaMemsetAsync");
  if (!capturing) memset(at, value, size);
  return OK;
}
int cudaPointerGetAttributes(struct { int type, device; void *there, *here; char rest[64]; } *to, const void *at) {
  memset(to, 0, 88);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < holds; i++)
    if ((char *)at >= held[i].at && (char *)at < held[i].at + held[i].size) to->type = 2, to->there = (void *)at;
  pthread_mutex_unlock(&lock);
  return OK;
}
int cudaMemPoolGetAttribute(void *pool, int attribute, void *to) { memset(to, 0, 8); return OK; }
int cudaMemPoolCreate(void **pool, const void *how) { *pool = (void *)1; return OK; }

/* streams, events, graphs */
static intptr_t streams = 1000;
int cudaStreamCreate(void **stream) { *stream = (void *)streams++; return OK; }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { return cudaStreamCreate(stream); }
int cudaStreamSynchronize(void *stream) {
  note("cudaStreamSynchronize %ld", (long)stream);
  return unsafe("cudaStreamSynchronize");
}
int cudaStreamBeginCapture(void *stream, int mode) {
  note("cudaStreamBeginCapture");
  capturer = pthread_self(), capture_mode = mode, capturing = 1;
  return OK;
}
int cudaStreamEndCapture(void *stream, void **graph) {
  note("cudaStreamEndCapture");
  capturing = 0;
  *graph = (void *)1;
  return OK;
}
int cudaStreamIsCapturing(void *stream, int *answer) { *answer = capturing; return OK; }
int cudaGraphInstantiate(void **made, void *graph, unsigned long long flags) {
  note("cudaGraphInstantiate");
  *made = (void *)(intptr_t)++graphs;
  return OK;
}
int cudaGraphLaunch(void *graph, void *stream) { note("cudaGraphLaunch %ld", (long)graph); return OK; }
int cudaEventCreate(void **event) { *event = (void *)1; return OK; }
int cudaEventCreateWithFlags(void **event, unsigned flags) { return cudaEventCreate(event); }
int cudaEventElapsedTime(float *ms, void *begin, void *end) { *ms = 1; return OK; }
int cudaEventSynchronize(void *event) { note("cudaEventSynchronize"); return unsafe("cudaEventSynchronize"); }
int cudaLibraryLoadData(void **library, ...) { *library = (void *)1; return OK; }
