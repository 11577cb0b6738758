// Image decoding for worker threads: libjpeg-turbo and a resizer, without libtorch. Of a JPEG only what the crop needs is decoded:
// at a smaller scale where the result is much smaller than the region, without the rows and columns outside it, and no row
// after the last one.
#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>

#include "../napi.h"
#include "resample.h"

namespace thrive {

std::string messageOf(const std::exception& error) { return error.what(); }

void throwCurrent(napi_env env) {
  try {
    throw;
  } catch (const PendingException&) {
  } catch (const BadArgument& error) {
    napi_throw_type_error(env, nullptr, error.what());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  } catch (...) {
    napi_throw_error(env, nullptr, "unknown error");
  }
}

namespace {

struct Failure : jpeg_error_mgr {
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool truncated;
};

void onError(j_common_ptr info) {
  auto* failure = static_cast<Failure*>(info->err);
  failure->format_message(info, failure->message);
  longjmp(failure->jump, 1);
}

void onMessage(j_common_ptr info, int level) {
  auto* failure = static_cast<Failure*>(info->err);
  if (level >= 0) return;
  failure->num_warnings++;
  if (failure->msg_code == JWRN_JPEG_EOF) failure->truncated = true;
  if (failure->num_warnings == 1) failure->format_message(info, failure->message);
}

// The EXIF orientation, 1 to 8, of an APP1 segment; 0 where it has none.
int orientationOf(const uint8_t* data, size_t size) {
  if (size < 14 || std::memcmp(data, "Exif\0\0", 6) != 0) return 0;
  const uint8_t* tiff = data + 6;
  const size_t length = size - 6;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 0;
  auto u16 = [&](size_t at) { return little ? tiff[at] | tiff[at + 1] << 8 : tiff[at] << 8 | tiff[at + 1]; };
  auto u32 = [&](size_t at) -> size_t {
    const uint8_t* p = tiff + at;
    return little ? size_t(p[0]) | size_t(p[1]) << 8 | size_t(p[2]) << 16 | size_t(p[3]) << 24
                  : size_t(p[0]) << 24 | size_t(p[1]) << 16 | size_t(p[2]) << 8 | size_t(p[3]);
  };
  size_t at = u32(4);
  if (at + 2 > length) return 0;
  const int entries = u16(at);
  at += 2;
  for (int i = 0; i < entries && at + 12 <= length; i++, at += 12) {
    if (u16(at) != 0x0112) continue;
    const int value = u16(at + 8);
    return u16(at + 2) == 3 && value >= 1 && value <= 8 ? value : 0;
  }
  return 0;
}

// Whether the entropy-coded data is followed by the end marker: a file that was cut short lacks it, whatever part is decoded.
bool hasEnd(const uint8_t* data, size_t begin, size_t size) {
  for (size_t at = size; at-- > begin + 1;)
    if (data[at] == 0xd9 && data[at - 1] == 0xff) return true;
  return false;
}

struct Header {
  int width = 0, height = 0, components = 0, orientation = 0;
  bool complete = false, progressive = false;
};

// No object with a destructor may live between setjmp and longjmp: the callers own all memory.
bool readHeader(jpeg_decompress_struct& jpeg, Failure& failure, const uint8_t* data, size_t size, Header& header) {
  if (setjmp(failure.jump)) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&jpeg, data, size);
  jpeg_read_header(&jpeg, TRUE);
  header.width = static_cast<int>(jpeg.image_width);
  header.height = static_cast<int>(jpeg.image_height);
  header.components = jpeg.num_components;
  header.progressive = jpeg.progressive_mode;
  for (auto* marker = jpeg.marker_list; marker && !header.orientation; marker = marker->next)
    if (marker->marker == JPEG_APP0 + 1) header.orientation = orientationOf(marker->data, marker->data_length);
  header.complete = hasEnd(data, static_cast<size_t>(jpeg.src->next_input_byte - data), size);
  return true;
}

// CMYK as Adobe writes it (inverted) to RGB, as Pillow does.
void cmykToRgb(const uint8_t* from, uint8_t* to, int columns) {
  for (int i = 0; i < columns; i++, from += 4, to += 3) {
    const int key = from[3];  // 255 - K
    for (int c = 0; c < 3; c++) {
      const int product = (255 - from[c]) * key + 128;
      const int value = key - ((((product >> 8) + product)) >> 8);
      to[c] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  }
}

// Begins decoding at a scale of scale / 8.
bool start(jpeg_decompress_struct& jpeg, Failure& failure, int scale) {
  if (setjmp(failure.jump)) return false;
  jpeg.scale_num = static_cast<unsigned>(scale);
  jpeg.scale_denom = 8;
  const bool four = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  jpeg.out_color_space = four ? JCS_CMYK : JCS_RGB;
  jpeg.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&jpeg);
  return true;
}

bool readRows(jpeg_decompress_struct& jpeg, Failure& failure, Resampler& resampler, uint8_t* row, uint8_t* rgb) {
  if (setjmp(failure.jump)) return false;
  const int width = static_cast<int>(jpeg.output_width);
  // Beside the cut, chroma is interpolated from one side only: some more columns keep what is used exact.
  const int margin = 32;
  int begin = std::max(0, resampler.firstColumn() - margin);
  const int end = std::min(width, resampler.endColumn() + margin);
  if (begin > 0 || end < width) {
    JDIMENSION offset = static_cast<JDIMENSION>(begin), columns = static_cast<JDIMENSION>(end - begin);
    jpeg_crop_scanline(&jpeg, &offset, &columns);
    begin = static_cast<int>(offset);
  } else {
    begin = 0;
  }
  if (resampler.firstRow() > 0) jpeg_skip_scanlines(&jpeg, static_cast<JDIMENSION>(resampler.firstRow()));
  const int skip = resampler.firstColumn() - begin;
  const int columns = resampler.endColumn() - resampler.firstColumn();
  for (int y = resampler.firstRow(); y < resampler.endRow(); y++) {
    JSAMPROW rows[1] = {row};
    jpeg_read_scanlines(&jpeg, rows, 1);
    if (jpeg.output_components == 4) {
      cmykToRgb(row + skip * 4, rgb, columns);
      resampler.take(rgb);
    } else {
      resampler.take(row + skip * 3);
    }
  }
  return true;
}

struct Decoder {
  jpeg_decompress_struct jpeg;
  Failure failure;
  Decoder() {
    std::memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&failure);
    failure.error_exit = onError;
    failure.emit_message = onMessage;
    failure.truncated = false;
    failure.message[0] = 0;
  }
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }
  void must(bool succeeded) const {
    if (!succeeded) throw std::runtime_error(failure.message);
  }
};

const uint8_t* bytesOf(const TypedArray& array, const char* what) {
  if (array.type != napi_uint8_array) throw BadArgument(std::string(what) + " must be a Uint8Array");
  return static_cast<const uint8_t*>(array.data);
}

// header(bytes): [width, height, components, orientation or 0, 1 if the end marker is there, 1 if progressive]
napi_value header(Arguments& args) {
  auto array = toTypedArray(args.env, args[0]);
  const uint8_t* data = bytesOf(array, "the image");
  Decoder decoder;
  Header header;
  decoder.must(readHeader(decoder.jpeg, decoder.failure, data, array.length, header));
  const std::vector<int64_t> fields = {header.width,       header.height,   header.components,
                                       header.orientation, header.complete, header.progressive};
  return fromItems(args.env, fields, fromInt);
}

Geometry toGeometry(napi_env env, napi_value value) {
  auto array = toTypedArray(env, value);
  if (array.type != napi_float64_array || array.length != 14) throw BadArgument("the geometry must be 14 float64 numbers");
  const double* n = static_cast<const double*>(array.data);
  for (int i = 0; i < 14; i++)
    if (!std::isfinite(n[i]) || std::fabs(n[i]) > 1e12) throw BadArgument("the geometry is not finite");
  auto whole = [&](int i) { return static_cast<int>(std::max(-2e9, std::min(2e9, n[i]))); };
  return {n[0],      n[1],      n[2],      n[3],
          whole(4),  whole(5),  whole(6),  whole(7),
          whole(8),  whole(9),  static_cast<int64_t>(n[10]), static_cast<int64_t>(n[11]),
          static_cast<int64_t>(n[12]), static_cast<int64_t>(n[13])};
}

// Nothing outside the image is read and nothing outside `out` is written, whatever the numbers are.
void checkGeometry(const Geometry& g, int width, int height, size_t out) {
  const bool inside = g.left >= 0 && g.top >= 0 && g.width > 0 && g.height > 0 && g.left + g.width <= width + 1e-6 &&
                      g.top + g.height <= height + 1e-6;
  const bool window = g.resizeWidth > 0 && g.resizeHeight > 0 && g.resizeWidth <= 65536 && g.resizeHeight <= 65536 &&
                      g.x >= 0 && g.y >= 0 && g.columns > 0 && g.rows > 0 && g.x + g.columns <= g.resizeWidth &&
                      g.y + g.rows <= g.resizeHeight;
  if (!inside || !window) throw BadArgument("the crop is not inside the image");
  int64_t low = g.base, high = g.base;
  for (int64_t reach : {(g.columns - 1) * g.stepX, (g.rows - 1) * g.stepY, 2 * g.plane}) (reach < 0 ? low : high) += reach;
  if (low < 0 || high >= static_cast<int64_t>(out)) throw BadArgument("the result does not fit its buffer");
}

// decode(bytes, out, geometry, gap): the number of warnings. `gap`: the least ratio of a scaled region to the result; 0: never scale.
napi_value decode(Arguments& args) {
  auto array = toTypedArray(args.env, args[0]);
  const uint8_t* data = bytesOf(array, "the image");
  auto outArray = toTypedArray(args.env, args[1]);
  uint8_t* out = const_cast<uint8_t*>(bytesOf(outArray, "the result"));
  Geometry geometry = toGeometry(args.env, args[2]);
  const double gap = toDouble(args.env, args[3]);
  Decoder decoder;
  Header header;
  decoder.must(readHeader(decoder.jpeg, decoder.failure, data, array.length, header));
  checkGeometry(geometry, header.width, header.height, outArray.length);
  int scale = 8;
  while (gap > 0 && scale > 1 && geometry.width * scale / 16 >= geometry.resizeWidth * gap &&
         geometry.height * scale / 16 >= geometry.resizeHeight * gap)
    scale /= 2;
  decoder.must(start(decoder.jpeg, decoder.failure, scale));
  const int width = static_cast<int>(decoder.jpeg.output_width), height = static_cast<int>(decoder.jpeg.output_height);
  if (scale < 8) {
    const double factor = scale / 8.0;
    geometry.left *= factor;
    geometry.top *= factor;
    geometry.width = std::min(geometry.width * factor, width - geometry.left);
    geometry.height = std::min(geometry.height * factor, height - geometry.top);
  }
  Resampler resampler(geometry, width, height);
  std::vector<uint8_t> row(static_cast<size_t>(width) * decoder.jpeg.output_components + 64);
  std::vector<uint8_t> rgb(static_cast<size_t>(width) * 3 + 64);
  decoder.must(readRows(decoder.jpeg, decoder.failure, resampler, row.data(), rgb.data()));
  if (decoder.failure.truncated) throw std::runtime_error("the file is cut short");
  resampler.finish(out);
  return fromInt(args.env, decoder.failure.num_warnings);
}

// resample(rgb, width, height, out, geometry): the same of an image that is decoded already, interleaved RGB.
napi_value resample(Arguments& args) {
  auto array = toTypedArray(args.env, args[0]);
  const uint8_t* data = bytesOf(array, "the image");
  const int64_t width = toInt(args.env, args[1]), height = toInt(args.env, args[2]);
  auto outArray = toTypedArray(args.env, args[3]);
  uint8_t* out = const_cast<uint8_t*>(bytesOf(outArray, "the result"));
  Geometry geometry = toGeometry(args.env, args[4]);
  if (width < 1 || height < 1 || width > 1 << 20 || height > 1 << 20 ||
      array.length < static_cast<size_t>(width) * static_cast<size_t>(height) * 3)
    throw BadArgument("the image is smaller than its size says");
  checkGeometry(geometry, static_cast<int>(width), static_cast<int>(height), outArray.length);
  Resampler resampler(geometry, static_cast<int>(width), static_cast<int>(height));
  for (int y = resampler.firstRow(); y < resampler.endRow(); y++)
    resampler.take(data + (static_cast<size_t>(y) * static_cast<size_t>(width) + resampler.firstColumn()) * 3);
  resampler.finish(out);
  return undefined(args.env);
}

}  // namespace
}  // namespace thrive

// Loaded by several worker threads at once: nothing here is shared between them.
NAPI_MODULE_INIT() {
  using namespace thrive;
  const napi_property_descriptor functions[] = {
      {"header", nullptr, guard<header>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"decode", nullptr, guard<decode>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"resample", nullptr, guard<resample>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  if (napi_define_properties(env, exports, 3, functions) != napi_ok) napi_throw_error(env, nullptr, "cannot export");
  return exports;
}
