/* The API's responses of one run of an event's handlers. */
#include "recording.h"

#include "buffer.h"

#include <stdlib.h>
#include <zlib.h>

#define STEP 16384 /* bytes of compressed text at a time */

struct event_recording {
  recording_state state;
  int64_t started_at;
  size_t size, max;
  palenca_buffer packed;
  z_stream stream;
  bool has_stream; /* from the first piece to the end */
};

event_recording *event_recording_new(size_t max, int64_t started_at) {
  event_recording *recording = calloc(1, sizeof *recording);
  if (recording != NULL) {
    recording->max = max;
    recording->started_at = started_at;
  }
  return recording;
}

static void end_stream(event_recording *recording) {
  if (recording->has_stream) {
    (void)deflateEnd(&recording->stream);
    recording->has_stream = false;
  }
}

void event_recording_free(event_recording *recording) {
  if (recording != NULL) {
    end_stream(recording);
    palenca_buffer_free(&recording->packed);
    free(recording);
  }
}

static void omit(event_recording *recording, recording_state state) {
  end_stream(recording);
  palenca_buffer_free(&recording->packed);
  recording->state = state;
}

static bool begin_stream(event_recording *recording) {
  if (!recording->has_stream) {
    recording->has_stream = deflateInit(&recording->stream, Z_DEFAULT_COMPRESSION) == Z_OK;
  }
  return recording->has_stream;
}

static bool compress_piece(event_recording *recording, const char *data, size_t size, int flush) {
  unsigned char step[STEP];
  z_stream *stream = &recording->stream;
  stream->next_in = (z_const Bytef *)data;
  stream->avail_in = (uInt)size;
  do {
    stream->next_out = step;
    stream->avail_out = sizeof step;
    if (deflate(stream, flush) == Z_STREAM_ERROR ||
        !palenca_buffer_append(&recording->packed, step, sizeof step - stream->avail_out)) {
      return false;
    }
  } while (stream->avail_out == 0);
  return true;
}

bool event_recording_add(event_recording *recording, const char *data, size_t size) {
  if (recording->state != RECORDING_WHOLE || size == 0) {
    return recording->state == RECORDING_WHOLE;
  }
  if (size > recording->max - recording->size) {
    recording->size = recording->max;
    omit(recording, RECORDING_TOO_LARGE);
  } else if (!begin_stream(recording) || !compress_piece(recording, data, size, Z_NO_FLUSH)) {
    omit(recording, RECORDING_NO_MEMORY);
  } else {
    recording->size += size;
  }
  return recording->state == RECORDING_WHOLE;
}

void event_recording_end(event_recording *recording) {
  if (recording->has_stream && !compress_piece(recording, "", 0, Z_FINISH)) {
    omit(recording, RECORDING_NO_MEMORY);
  }
  end_stream(recording);
}

recording_parts event_recording_parts(const event_recording *recording) {
  return (recording_parts){.state = recording->state,
                           .started_at = recording->started_at,
                           .size = recording->size,
                           .packed = recording->packed.data,
                           .packed_size = recording->packed.size};
}
