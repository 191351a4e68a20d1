// Random maps, families and sizes through the kernels of one instruction set, meant to run under sanitizers: scores
// must equal hatched gametes added up locus by locus, and a sweep in pieces must equal a sweep in one.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "kernels.h"
#include "pool.h"

using namespace jaxbreed;

namespace {

std::mt19937_64 random_words(20261122);
int upto(int n) { return (int)(random_words() % (uint64_t)(n + 1)); }

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}
void check(bool good, const char* what) {
  if (!good) fail(what);
}

// A map as walkmap.py lays it out, with 2**6 sub-cells a Morgan.
struct World {
  static constexpr int kBits = 6;
  int chromosomes, loci = 0, slots = 0;
  std::vector<uint32_t> cell[2], slot_rank[2];
  std::vector<int32_t> border[2], chromosome_slot[2], locus_slot[2], locus_chromosome, end{0, 0}, renewal, site_locus;
  std::vector<uint32_t> threshold;
  Map map{};

  World(int chromosomes, int most_loci, bool interference, int mutations) : chromosomes(chromosomes) {
    std::vector<int> count(chromosomes);
    for (int& n : count) loci += n = upto(most_loci);
    if (loci == 0) loci = count[0] = 1;
    for (int c = 0; c < chromosomes; ++c) locus_chromosome.insert(locus_chromosome.end(), count[c], c);
    for (int sex = 0; sex < 2; ++sex) lay_out(sex, count);
    slots = (int)std::max(slot_rank[0].size(), slot_rank[1].size());
    const size_t cells = std::max(cell[0].size(), cell[1].size());
    for (int sex = 0; sex < 2; ++sex) {
      slot_rank[sex].resize(slots, slot_rank[sex].back());
      while (cell[sex].size() < cells) {
        cell[sex].push_back(cell[sex][cell[sex].size() - 2]);
        cell[sex].push_back(cell[sex][cell[sex].size() - 2]);
      }
      while ((int)border[sex].size() < chromosomes + 1) border[sex].push_back(end[sex]);
      map.cell[sex] = cell[sex].data();
      map.border[sex] = border[sex].data();
      map.chromosome_slot[sex] = chromosome_slot[sex].data();
      map.locus_slot[sex] = locus_slot[sex].data();
      map.slot_rank[sex] = slot_rank[sex].data();
    }
    if (interference) {
      // Any falling table will do here: 0.02 to 4 Morgans.
      renewal.resize(2 * 2 * 21 * 33);
      for (int row = 0; row < 2 * 2 * 21; ++row) {
        const bool upper = row / 21 % 2 == 0;
        for (int knot = 0; knot < 33; ++knot) {
          const double tail = std::exp2(-(row % 21) - 1.0) * (32 + knot) / 64;
          renewal[row * 33 + knot] = (int32_t)(-std::log(upper ? tail : 1 - tail) * (1 << 20)) / (1 + row / 42);
        }
      }
      map.renewal = renewal.data();
    }
    if (mutations) {
      // Every site but each third is a locus; none, one or all mutations with chances of 1/2, 1/4 and 1/4.
      for (int locus = 0, site = 0; locus < loci; ++site) site_locus.push_back(site % 3 == 2 ? -1 : locus++);
      threshold.assign(mutations, 3u << 30);
      threshold[0] = 2u << 30;
      map.thresholds = (int)threshold.size(), map.threshold = threshold.data();
      map.sites = (uint32_t)site_locus.size(), map.site_locus = site_locus.data();
    }
    map.loci = loci, map.slots = slots, map.chromosomes = chromosomes, map.arms = chromosomes + 1;
    map.sub_shift = 20 - kBits;
    map.end = end.data();
    map.locus_chromosome = locus_chromosome.data();
  }

  void lay_out(int sex, const std::vector<int>& count) {
    int line_cells = 0, slot = 0, locus = 0;
    for (int c = 0; c < chromosomes; ++c) {
      const int length = upto(3) ? upto(150) : 0;  // sub-cells; every fourth chromosome has none
      std::vector<int> place(count[c]);
      for (int& p : place) p = upto(length);
      std::sort(place.begin(), place.end());
      chromosome_slot[sex].push_back(slot);
      std::vector<uint32_t> bitmap(length ? length / 32 + 1 : 0);
      const int first_slot = slot;
      for (int i = 0; i < count[c]; ++i) {
        if (i == 0 || place[i] != place[i - 1]) {
          slot_rank[sex].push_back((uint32_t)c << 24 | (uint32_t)(locus + i + c) << 1);
          ++slot;
          if (length) bitmap[place[i] / 32] |= 1u << place[i] % 32;
        }
        locus_slot[sex].push_back(slot - 1);
      }
      locus += count[c];
      slot_rank[sex].push_back((uint32_t)c << 24 | (uint32_t)(locus + c) << 1);
      int at = first_slot;
      for (const uint32_t bits : bitmap) {
        cell[sex].push_back(bits);
        cell[sex].push_back((uint32_t)at << 8 | (uint32_t)c);
        at += __builtin_popcount(bits);
      }
      ++slot;
      line_cells += (int)bitmap.size();
      if (length) border[sex].push_back(line_cells * 32 << (20 - kBits));
    }
    end[sex] = line_cells * 32 << (20 - kBits);
    cell[sex].push_back(0);
    cell[sex].push_back((uint32_t)(slot - 1) << 8 | (uint32_t)chromosomes);
  }
};

std::vector<uint32_t> gap_table() {
  const auto knot = [](int i) { return std::llround(-std::log((256.0 + i) / 512) * 1048576); };
  std::vector<uint32_t> table(256);
  for (int i = 0; i < 256; ++i) table[i] = (uint32_t)(knot(i) << 12 | (knot(i) - knot(i + 1) - 2048));
  return table;
}

bool same(Partial& a, Partial& b, int64_t kept) {
  if (a.count != b.count || a.survivors != b.survivors || a.first != b.first || a.product != b.product) return false;
  std::vector<int32_t> rank(2 * kept + 1);
  std::vector<uint32_t> egg(2 * kept + 1);
  for (int sex = 0; sex < 2; ++sex) {
    a.best[sex].write(rank.data(), egg.data());
    b.best[sex].write(rank.data() + kept, egg.data() + kept);
    for (int64_t i = 0; i < kept; ++i) {
      if (rank[i] != rank[kept + i] || egg[i] != egg[kept + i]) return false;
    }
    std::fill(rank.begin(), rank.end(), 0);
    std::fill(egg.begin(), egg.end(), 0u);
  }
  return true;
}

void try_one(const Kernels& run, const Tables& tables, int number) {
  static const int kChromosomes[] = {1, 2, 5, 31, 32, 33, 64, 65, 200, 250};
  const int chromosomes = kChromosomes[number % 10];
  const World world(chromosomes, number % 3 ? 12 : 2, number % 2, number == 1 ? 128 : number % 8 == 2 ? 30 : number % 3);
  const Map& map = world.map;
  const bool dominant = number % 4 >= 2;
  const int columns = 1 + number % 5;
  std::vector<int32_t> effects(columns * map.loci), deviations(columns * map.loci), start(columns);
  for (int32_t& e : effects) e = upto(2000) - 1000;
  for (int32_t& d : deviations) d = upto(2000) - 1000;
  std::vector<uint8_t> haplotypes(4 * map.loci);
  for (uint8_t& h : haplotypes) h = (uint8_t)upto(1);
  const size_t places = (size_t)map.slots * columns;
  std::vector<int32_t> jump(2 * places), pair((size_t)(map.loci + chromosomes) * columns);
  for (int c = 0; c < columns; ++c) {
    const int32_t* effect = effects.data() + c * map.loci;
    const int32_t* deviation = dominant ? deviations.data() + c * map.loci : nullptr;
    start[c] = run.first_haplotypes(map, c, effect, deviation, haplotypes.data());
    for (int sex = 0; sex < 2; ++sex) {
      run.fill_jumps(map, sex, columns, effect, deviation, haplotypes.data(), jump.data() + sex * places + c);
    }
    if (dominant) run.fill_pairs(map, columns, deviation, haplotypes.data(), pair.data() + c);
  }
  Family family{columns, start.data(), {jump.data(), jump.data() + places}, dominant ? pair.data() : nullptr,
                effects.data(), dominant ? deviations.data() : nullptr, haplotypes.data()};
  const Key key{{(uint32_t)random_words(), (uint32_t)random_words()}};

  // Scores against gametes.
  const int count = number % 7 ? upto(600) : 0;
  std::vector<uint32_t> eggs(count);
  for (uint32_t& e : eggs) e = (uint32_t)random_words();
  std::vector<int32_t> out((size_t)columns * count);
  run.score(tables, map, family, key, eggs.data(), count, out.data(), count);
  std::vector<uint8_t> dam(map.loci), sire(map.loci);
  for (int i = 0; i < std::min(count, 60); ++i) {
    run.gamete(tables, map, key, eggs[i], 0, haplotypes.data(), dam.data());
    run.gamete(tables, map, key, eggs[i], 1, haplotypes.data() + 2 * map.loci, sire.data());
    for (int c = 0; c < columns; ++c) {
      int64_t value = c;
      for (int l = 0; l < map.loci; ++l) {
        value += (int64_t)effects[c * map.loci + l] * (dam[l] + sire[l]);
        if (dominant && dam[l] != sire[l]) value += deviations[c * map.loci + l];
      }
      check((int32_t)value == out[(size_t)c * count + i], "a score is not the sum over the egg's loci");
    }
  }

  // A sweep in one piece, and in pieces by several threads.
  const bool load = columns > 1 && number % 2;
  const int traits = columns - load;
  std::vector<int32_t> weight(traits, 16384 / traits), mantissa(traits * traits, 16384 / traits), shift(traits, 3),
      unit(2 * traits, 2), centre(2 * traits, 0);
  const int64_t kept = number % 5 * 7;
  Assay assay{traits, weight.data(), mantissa.data(), shift.data(), unit.data(), (uint32_t)(number % 3 ? 1u << 30 : ~0u),
              kept, number % 3 != 0, number % 2 == 0, load};
  const uint32_t laid = (uint32_t)upto(5000);
  Partial whole(kept, 2 * traits);
  run.sweep(tables, map, family, assay, centre.data(), key, 0, laid, INT64_MAX / 2, false, whole);
  const int64_t piece = 1 + upto(700), tasks = (laid + piece - 1) / piece;
  std::vector<Partial> parts(3, Partial(kept, 2 * traits));
  std::vector<std::thread> threads;
  share_out(
      tasks, 3, [&](auto&& task) { threads.emplace_back(std::move(task)); },
      [&](int worker, int64_t task) {
        const uint32_t from = (uint32_t)(task * piece), to = std::min<uint32_t>(laid, from + (uint32_t)piece);
        run.sweep(tables, map, family, assay, centre.data(), key, from, to, INT64_MAX / 2, false, parts[worker]);
      });
  for (std::thread& thread : threads) thread.join();
  parts[0].merge(parts[1]);
  parts[0].merge(parts[2]);
  check(same(whole, parts[0], kept), "a sweep in pieces is not the sweep in one piece");
  Partial counted(0, 0);
  run.sweep(tables, map, family, assay, centre.data(), key, 0, laid, 0, true, counted);
  check(counted.survivors == whole.survivors, "counting finds other survivors than testing");
}

}  // namespace

int main() {
  const std::vector<uint32_t> gaps = gap_table();
  std::vector<int32_t> normal(32 * 65);
  for (size_t i = 0; i < normal.size(); ++i) normal[i] = (int32_t)(i * 3000);
  const Tables tables{gaps.data(), normal.data()};
  const Kernels& run = *JAXBREED_TESTED();
  for (int number = 0; number < 30; ++number) try_one(run, tables, number);
  std::printf("%s: all equal\n", run.name);
}
