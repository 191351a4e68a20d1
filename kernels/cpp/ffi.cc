// The kernels as XLA custom calls. native.py calls them and is the only one that does; every type and shape is checked
// here again, so that a wrong call is an error. The numbers inside a map are trusted: they are build_walk_map's.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <string>
#include <vector>

#include "kernels.h"
#include "pool.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace jaxbreed {
namespace {

constexpr int64_t kAny = -1;
constexpr int64_t kEggsPerTask = 2048;  // eight batches: small enough that threads finish together

std::atomic<const Kernels*> chosen{nullptr};

const Kernels& kernels() {
  const Kernels* found = chosen.load();
  if (!found) chosen.store(found = find_kernels(""));
  return *found;
}

// Reads the arguments of a call one by one; remembers the first that is not as it should be.
class Arguments {
 public:
  explicit Arguments(ffi::RemainingArgs args) : args_(args) {}

  template <ffi::DataType kType>
  auto read(const char* name, std::initializer_list<int64_t> shape) -> const ffi::NativeType<kType>* {
    return read_with_shape<kType>(name, shape, nullptr);
  }

  // As above; `size` receives the sizes of the axes that may be anything.
  template <ffi::DataType kType>
  auto read_with_shape(const char* name, std::initializer_list<int64_t> shape, int64_t* size)
      -> const ffi::NativeType<kType>* {
    if (!error_.empty()) return nullptr;
    auto buffer = args_.get<ffi::Buffer<kType>>(next_++);
    if (!buffer) {
      error_ = std::string(name) + " is missing or of another type than it must be";
      return nullptr;
    }
    const auto dimensions = buffer->dimensions();
    bool good = dimensions.size() == shape.size();
    size_t axis = 0;
    for (const int64_t wanted : shape) {
      if (!good) break;
      if (wanted == kAny) {
        if (size) *size++ = dimensions[axis];
      } else {
        good = dimensions[axis] == wanted;
      }
      ++axis;
    }
    if (!good) {
      error_ = std::string(name) + " has shape (";
      for (const int64_t d : dimensions) error_ += std::to_string(d) + ", ";
      error_ += ") and must have (";
      for (const int64_t d : shape) error_ += (d == kAny ? std::string("any") : std::to_string(d)) + ", ";
      error_ += ")";
      return nullptr;
    }
    return buffer->typed_data();
  }

  ffi::Error error() const {
    return error_.empty() ? ffi::Error::Success() : ffi::Error::InvalidArgument("jaxbreed: " + error_);
  }
  bool good() const { return error_.empty(); }
  void fail(const std::string& why) {
    if (error_.empty()) error_ = why;
  }

 private:
  ffi::RemainingArgs args_;
  size_t next_ = 0;
  std::string error_;
};

Tables read_tables(Arguments& in) {
  Tables tables{};
  tables.gap = in.read<ffi::U32>("the gap table", {256});
  tables.normal = in.read<ffi::S32>("the normal table", {32, 65});
  return tables;
}

Map read_map(Arguments& in, int64_t sub_shift) {
  Map map{};
  map.sub_shift = (int)sub_shift;
  int64_t cells = 0, arms = 0, chromosomes = 0, loci = 0, slots = 0, renewal[4] = {};
  const uint32_t* cell = in.read_with_shape<ffi::U32>("cell", {2, kAny, 2}, &cells);
  map.end = in.read<ffi::S32>("end", {2});
  const int32_t* border = in.read_with_shape<ffi::S32>("border", {2, kAny}, &arms);
  const int32_t* chromosome_slot = in.read_with_shape<ffi::S32>("chromosome_slot", {2, kAny}, &chromosomes);
  const int32_t* locus_slot = in.read_with_shape<ffi::S32>("locus_slot", {2, kAny}, &loci);
  map.locus_chromosome = in.read<ffi::S32>("locus_chromosome", {loci});
  const uint32_t* slot_rank = in.read_with_shape<ffi::U32>("slot_rank", {2, kAny}, &slots);
  const int32_t* gap = in.read_with_shape<ffi::S32>("gap", {kAny, kAny, kAny, kAny}, renewal);
  int64_t thresholds = 0, sites = 0;
  map.threshold = in.read_with_shape<ffi::U32>("threshold", {kAny}, &thresholds);
  map.site_locus = in.read_with_shape<ffi::S32>("locus", {kAny}, &sites);
  if (!in.good()) return map;
  if (sub_shift < 0 || sub_shift > 20 || chromosomes < 1 || chromosomes > 250 || slots < 1 || arms != chromosomes + 1 ||
      cells < 1 || cells * 32 > 1 << kSubBits) {
    in.fail("the map is not one that build_walk_map made");
  }
  const bool none = renewal[0] == 0;
  if (!none && (renewal[0] != 2 || renewal[1] != 2 || renewal[2] != 21 || renewal[3] != 33)) {
    in.fail("the gap table of the interference is not one that renewal_table made");
  }
  if (thresholds > 128 || (thresholds > 0 && sites < 1) || sites >= (1 << 24)) {
    in.fail("the mutation is not one that build_mutation made");
  }
  map.thresholds = (int)thresholds, map.sites = (uint32_t)sites;
  map.renewal = none ? nullptr : gap;
  map.loci = (int)loci, map.slots = (int)slots, map.chromosomes = (int)chromosomes, map.arms = (int)arms;
  for (int sex = 0; sex < 2; ++sex) {
    map.cell[sex] = cell + sex * cells * 2;
    map.border[sex] = border + sex * arms;
    map.chromosome_slot[sex] = chromosome_slot + sex * chromosomes;
    map.locus_slot[sex] = locus_slot + sex * loci;
    map.slot_rank[sex] = slot_rank + sex * slots;
    // A position at or before the end must have its cell.
    if (in.good() && (map.end[sex] < 0 || ((uint32_t)map.end[sex] >> sub_shift >> 5) >= (uint64_t)cells)) {
      in.fail("end lies behind the cells of the map");
    }
  }
  return map;
}

Family read_family(Arguments& in, const Map& map) {
  Family family{};
  int64_t columns = 0, ranks[2] = {};
  family.start = in.read_with_shape<ffi::S32>("start", {kAny}, &columns);
  const int32_t* jump = in.read<ffi::S32>("jump", {2, map.slots, columns});
  const int32_t* pair = in.read_with_shape<ffi::S32>("pair", {kAny, kAny}, ranks);
  int64_t effects[2] = {}, dominance[2] = {}, haplotypes[3] = {};
  family.effects = in.read_with_shape<ffi::S32>("alleles.effects", {kAny, kAny}, effects);
  family.dominance = in.read_with_shape<ffi::S32>("alleles.dominance", {kAny, kAny}, dominance);
  family.haplotypes = in.read_with_shape<ffi::U8>("alleles.haplotypes", {kAny, kAny, kAny}, haplotypes);
  if (!in.good()) return family;
  if (map.thresholds) {
    const bool dominant = ranks[0] != 0;
    if (effects[0] != columns || effects[1] != map.loci || dominance[0] != (dominant ? columns : 0) ||
        dominance[1] != (dominant ? map.loci : 0) || haplotypes[0] != 2 || haplotypes[1] != 2 ||
        haplotypes[2] != map.loci) {
      in.fail("alleles do not belong to these tables");
    }
    if (!dominant) family.dominance = nullptr;
  }
  if (columns < 1 || columns > 64) in.fail(std::to_string(columns) + " columns; there can be 1 to 64");
  if (ranks[0] != 0 && (ranks[0] != map.loci + map.chromosomes || ranks[1] != columns)) {
    in.fail("pair does not belong to this map");
  }
  family.columns = (int)columns;
  family.jump[0] = jump, family.jump[1] = jump + map.slots * columns;
  family.pair = ranks[0] ? pair : nullptr;
  return family;
}

Key read_key(Arguments& in) {
  const uint32_t* words = in.read<ffi::U32>("key", {2});
  return words ? Key{{words[0], words[1]}} : Key{};
}

// How many workers a call may use when `share` devices share the threads.
int workers_for(const ffi::ThreadPool& pool, int64_t share) {
  return (int)std::max<int64_t>(1, pool.num_threads() / std::max<int64_t>(1, share));
}

template <typename Work>
void share_tasks(ffi::ThreadPool& pool, int64_t tasks, int workers, const Work& work) {
  share_out(tasks, workers, [&pool](auto&& task) { pool.Schedule(std::move(task)); }, work);
}

template <typename Body>
ffi::Error guarded(const Body& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return ffi::Error::Internal(std::string("jaxbreed: ") + error.what());
  }
}

ffi::Error suffix_impl(ffi::ThreadPool pool, ffi::RemainingArgs args, int64_t sub_shift, int64_t share,
                       ffi::ResultBuffer<ffi::S32> start, ffi::ResultBuffer<ffi::S32> jump,
                       ffi::ResultBuffer<ffi::S32> pair) {
  return guarded([&]() -> ffi::Error {
    Arguments in(args);
    read_tables(in);
    const Map map = read_map(in, sub_shift);
    int64_t columns = 0, dominant = 0;
    const int32_t* intercept = in.read_with_shape<ffi::S32>("intercept", {kAny}, &columns);
    const int32_t* effects = in.read<ffi::S32>("effects", {columns, map.loci});
    const uint8_t* haplotypes = in.read<ffi::U8>("haplotypes", {2, 2, map.loci});
    const int32_t* dominance = in.read_with_shape<ffi::S32>("dominance", {kAny, map.loci}, &dominant);
    if (in.good() && dominant != 0 && dominant != columns) in.fail("dominance must have as many columns as effects");
    const size_t places = (size_t)map.slots * columns;
    if (in.good() && start->element_count() != (size_t)columns) in.fail("start has another shape than (column,)");
    if (in.good() && jump->element_count() != 2 * places) in.fail("jump has another shape than (2, slot, column)");
    if (in.good() && dominant && pair->element_count() != (size_t)((map.loci + map.chromosomes) * columns)) {
      in.fail("pair has another shape than (rank, column)");
    }
    if (!in.good()) return in.error();
    std::fill_n(jump->typed_data(), jump->element_count(), 0);
    std::fill_n(pair->typed_data(), pair->element_count(), 0);
    const Kernels& run = kernels();
    share_tasks(pool, 4 * columns, workers_for(pool, share), [&](int, int64_t task) {
      const int column = (int)(task / 4), part = (int)(task % 4);
      const int32_t* effect = effects + (int64_t)column * map.loci;
      const int32_t* deviation = dominant ? dominance + (int64_t)column * map.loci : nullptr;
      if (part < 2) {
        run.fill_jumps(map, part, (int)columns, effect, deviation, haplotypes, jump->typed_data() + part * places + column);
      } else if (part == 2) {
        start->typed_data()[column] = run.first_haplotypes(map, intercept[column], effect, deviation, haplotypes);
      } else if (dominant) {
        run.fill_pairs(map, (int)columns, deviation, haplotypes, pair->typed_data() + column);
      }
    });
    return ffi::Error::Success();
  });
}

ffi::Error score_impl(ffi::ThreadPool pool, ffi::RemainingArgs args, int64_t sub_shift, int64_t share,
                      ffi::ResultBuffer<ffi::S32> out) {
  return guarded([&]() -> ffi::Error {
    Arguments in(args);
    const Tables tables = read_tables(in);
    const Map map = read_map(in, sub_shift);
    const Family family = read_family(in, map);
    const Key key = read_key(in);
    int64_t eggs = 0;
    const uint32_t* egg = in.read_with_shape<ffi::U32>("eggs", {kAny}, &eggs);
    if (in.good() && out->element_count() != (size_t)(family.columns * eggs)) in.fail("the result is not (column, egg)");
    if (!in.good()) return in.error();
    const Kernels& run = kernels();
    share_tasks(pool, (eggs + kEggsPerTask - 1) / kEggsPerTask, workers_for(pool, share), [&](int, int64_t task) {
      const int64_t from = task * kEggsPerTask;
      run.score(tables, map, family, key, egg + from, std::min(kEggsPerTask, eggs - from), out->typed_data() + from,
                eggs);
    });
    return ffi::Error::Success();
  });
}

ffi::Error sweep_impl(ffi::ThreadPool pool, ffi::RemainingArgs args, int64_t sub_shift, int64_t share, bool screened,
                      bool alternate_sexes, bool load, ffi::ResultBuffer<ffi::S32> rank,
                      ffi::ResultBuffer<ffi::U32> egg, ffi::ResultBuffer<ffi::S32> count,
                      ffi::ResultBuffer<ffi::S32> first, ffi::ResultBuffer<ffi::S32> high,
                      ffi::ResultBuffer<ffi::S32> low, ffi::ResultBuffer<ffi::S32> survivors) {
  return guarded([&]() -> ffi::Error {
    Arguments in(args);
    const Tables tables = read_tables(in);
    const Map map = read_map(in, sub_shift);
    const Family family = read_family(in, map);
    const Key key = read_key(in);
    Assay assay{};
    int64_t traits = 0;
    assay.weight = in.read_with_shape<ffi::S32>("weight", {kAny}, &traits);
    assay.mantissa = in.read<ffi::S32>("mantissa", {traits, traits});
    assay.shift = in.read<ffi::S32>("shift", {traits});
    assay.unit = in.read<ffi::S32>("unit", {2 * traits});
    const int32_t* centre = in.read<ffi::S32>("centre", {2 * traits});
    const uint32_t* survival = in.read<ffi::U32>("survival", {});
    const int32_t* eggs = in.read<ffi::S32>("eggs", {});
    const int32_t* capacity = in.read<ffi::S32>("capacity", {});
    if (in.good() && traits + load != family.columns) {
      in.fail("the tables have " + std::to_string(family.columns) + " columns for " + std::to_string(traits) +
              " traits");
    }
    const size_t variables = 2 * (size_t)traits;
    if (in.good() && (rank->element_count() % 2 != 0 || egg->element_count() != rank->element_count() ||
                      first->element_count() != variables || count->element_count() != 1 ||
                      survivors->element_count() != 1 || high->element_count() != variables * variables ||
                      low->element_count() != variables * variables)) {
      in.fail("the results have other shapes than sweep.Tested");
    }
    for (size_t i = 0; in.good() && i < variables; ++i) {
      if (assay.unit[i] < 0 || assay.unit[i] > 30) in.fail("unit must be 0 to 30");
    }
    for (int64_t i = 0; in.good() && i < traits; ++i) {
      if (assay.shift[i] < -19 || assay.shift[i] > 43) in.fail("shift must be -19 to 43");
    }
    if (!in.good()) return in.error();
    assay.traits = (int)traits;
    assay.survival = *survival;
    assay.kept = (int64_t)rank->element_count() / 2;
    assay.screened = screened, assay.alternate_sexes = alternate_sexes, assay.load = load;

    const Kernels& run = kernels();
    const int64_t laid = std::max(*eggs, 0), most = std::max(*capacity, 0);
    const bool all_scored = screened || load;  // who is tested depends on who lives
    const int64_t total = all_scored ? laid : std::min(laid, most);
    const int64_t tasks = (total + kEggsPerTask - 1) / kEggsPerTask;
    const int workers = (int)std::min<int64_t>(workers_for(pool, share), std::max<int64_t>(tasks, 1));
    std::vector<Partial> partial;
    for (int worker = 0; worker < workers; ++worker) partial.emplace_back(assay.kept, (int)variables);
    const auto range = [&](int64_t task, int64_t room, bool only_count, Partial& into) {
      const int64_t from = task * kEggsPerTask, to = std::min(from + kEggsPerTask, total);
      const int64_t before = into.count;
      run.sweep(tables, map, family, assay, centre, key, (uint32_t)from, (uint32_t)to, before + room, only_count, into);
    };
    if (!all_scored || most >= laid) {
      share_tasks(pool, tasks, workers,
                  [&](int worker, int64_t task) { range(task, INT64_MAX / 2, false, partial[worker]); });
      for (int worker = 1; worker < workers; ++worker) partial[0].merge(partial[worker]);
      if (!all_scored) partial[0].survivors = laid;
    } else {
      // Count the survivors first, so that every task knows how many places are left for its own.
      std::vector<int64_t> alive(tasks);
      share_tasks(pool, tasks, workers, [&](int, int64_t task) {
        Partial counted(0, 0);
        range(task, 0, true, counted);
        alive[task] = counted.survivors;
      });
      std::vector<int64_t> room;
      int64_t survived = 0;
      for (const int64_t a : alive) {
        if (survived < most) room.push_back(most - survived);
        survived += a;
      }
      share_tasks(pool, (int64_t)room.size(), workers,
                  [&](int worker, int64_t task) { range(task, room[task], false, partial[worker]); });
      for (int worker = 1; worker < workers; ++worker) partial[0].merge(partial[worker]);
      partial[0].survivors = survived;
    }

    Partial& all = partial[0];
    std::fill_n(rank->typed_data(), rank->element_count(), 0);
    std::fill_n(egg->typed_data(), egg->element_count(), 0u);
    for (int sex = 0; sex < 2; ++sex) {
      all.best[sex].write(rank->typed_data() + sex * assay.kept, egg->typed_data() + sex * assay.kept);
    }
    *count->typed_data() = (int32_t)all.count;
    *survivors->typed_data() = (int32_t)all.survivors;
    for (size_t i = 0; i < variables; ++i) first->typed_data()[i] = (int32_t)all.first[i];
    for (size_t i = 0; i < variables * variables; ++i) {
      high->typed_data()[i] = (int32_t)(all.product[i] >> 14);
      low->typed_data()[i] = (int32_t)(all.product[i] & ((1 << 14) - 1));
    }
    return ffi::Error::Success();
  });
}

ffi::Error hatch_impl(ffi::ThreadPool pool, ffi::RemainingArgs args, int64_t sub_shift, int64_t share,
                      ffi::ResultBuffer<ffi::U8> young) {
  return guarded([&]() -> ffi::Error {
    Arguments in(args);
    const Tables tables = read_tables(in);
    const Map map = read_map(in, sub_shift);
    int64_t count = 0;
    const uint32_t* key = in.read_with_shape<ffi::U32>("key", {kAny, 2}, &count);
    const uint32_t* eggs = in.read<ffi::U32>("eggs", {count});
    const uint8_t* parents[2];
    parents[0] = in.read<ffi::U8>("dams", {count, 2, map.loci});
    parents[1] = in.read<ffi::U8>("sires", {count, 2, map.loci});
    if (in.good() && young->element_count() != (size_t)count * 2 * map.loci) in.fail("the result is not (egg, 2, locus)");
    if (!in.good()) return in.error();
    const Kernels& run = kernels();
    share_tasks(pool, 2 * count, workers_for(pool, share), [&](int, int64_t task) {
      const int64_t egg = task / 2;
      const int sex = (int)(task % 2);
      run.gamete(tables, map, Key{{key[2 * egg], key[2 * egg + 1]}}, eggs[egg], sex,
                 parents[sex] + egg * 2 * map.loci, young->typed_data() + task * map.loci);
    });
    return ffi::Error::Success();
  });
}

ffi::Error draw_words_impl(ffi::ThreadPool pool, ffi::RemainingArgs args, int64_t sub_shift, int64_t share,
                           ffi::ResultBuffer<ffi::U32> sum) {
  return guarded([&]() -> ffi::Error {
    Arguments in(args);
    const Tables tables = read_tables(in);
    const Map map = read_map(in, sub_shift);
    const Key key = read_key(in);
    int64_t eggs = 0;
    const uint32_t* egg = in.read_with_shape<ffi::U32>("eggs", {kAny}, &eggs);
    if (in.good() && sum->element_count() != 1) in.fail("the result is not one number");
    if (!in.good()) return in.error();
    const Kernels& run = kernels();
    std::atomic<uint32_t> total{0};
    share_tasks(pool, (eggs + kEggsPerTask - 1) / kEggsPerTask, workers_for(pool, share), [&](int, int64_t task) {
      const int64_t from = task * kEggsPerTask;
      total += run.draw_words(tables, map, key, egg + from, std::min(kEggsPerTask, eggs - from));
    });
    *sum->typed_data() = total;
    return ffi::Error::Success();
  });
}

#define JAXBREED_CALL() ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().RemainingArgs().Attr<int64_t>("sub_shift").Attr<int64_t>("share")

}  // namespace
}  // namespace jaxbreed

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxbreed_suffix, jaxbreed::suffix_impl,
                              JAXBREED_CALL().Ret<ffi::Buffer<ffi::S32>>().Ret<ffi::Buffer<ffi::S32>>().Ret<ffi::Buffer<ffi::S32>>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxbreed_score, jaxbreed::score_impl, JAXBREED_CALL().Ret<ffi::Buffer<ffi::S32>>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxbreed_sweep, jaxbreed::sweep_impl,
                              JAXBREED_CALL()
                                  .Attr<bool>("screened")
                                  .Attr<bool>("alternate_sexes")
                                  .Attr<bool>("load")
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Ret<ffi::Buffer<ffi::U32>>()
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Ret<ffi::Buffer<ffi::S32>>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxbreed_hatch, jaxbreed::hatch_impl, JAXBREED_CALL().Ret<ffi::Buffer<ffi::U8>>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxbreed_draw_words, jaxbreed::draw_words_impl,
                              JAXBREED_CALL().Ret<ffi::Buffer<ffi::U32>>());

extern "C" {

// Number of the specification (the Python modules) that this library follows; native.py must say the same.
int jaxbreed_specification() { return 3; }

// Name of the instruction set in use.
const char* jaxbreed_instruction_set() { return jaxbreed::kernels().name; }

// Makes this instruction set the one in use; "" for the best there is. Returns 0 if this processor does not have it.
int jaxbreed_use_instruction_set(const char* name) {
  const jaxbreed::Kernels* found = jaxbreed::find_kernels(name);
  if (found) jaxbreed::chosen.store(found);
  return found != nullptr;
}

}
