#!/usr/bin/env python3
"""Writes a lake of messages from a seed: OUT/organisation=7/day=2025-01-11/part-0.parquet

Every partition has its own generator, seeded by (seed, organisation, day): what it holds does not
depend on the other partitions. Bodies are 20 to 200 bytes; 3 % need quoting, 5 % are not ASCII.
"""
import argparse
import datetime
import multiprocessing
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY_US = 86_400_000_000
VOCABULARY = 20_000
CORPUS_WORDS = 5_000_000
BODY_BYTES_MIN, BODY_BYTES_MAX = 20, 200
NOT_ASCII = "äöüßéèñçøåœžščřłđğıαβγδεжзийклмнопрст中文短信通知確認日本語テスト한국어हिन्दी€✓🙂🚀"
CHANNELS = pa.array(["sms", "voice", "whatsapp", "email"])
STATUSES = pa.array(["delivered", "failed", "sent", "undelivered"])
PRICES = [75, 79, 120, 550, 1199, 10000, 123456]  # ten-thousandths
HEXADECIMAL = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), np.uint8).reshape(256, 2)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--organisations", type=int, default=20)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--big-organisation", type=int, default=7)
    parser.add_argument("--big-rows", type=int, default=6_000_000, help="of the big one; the others share the rest")
    parser.add_argument("--only-organisation", type=int)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--row-group-rows", type=int, default=131_072)
    parser.add_argument("--start", type=datetime.date.fromisoformat, default=datetime.date(2025, 1, 1))
    return parser.parse_args()


class Texts:
    """Where bodies are cut from: word-like words of Zipf-like frequency, and a pool of texts that are not ASCII."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        self.vocabulary = self._vocabulary(random)
        frequency = 1.0 / (np.arange(len(self.vocabulary)) + 10.0) ** 0.9
        words = random.choice(len(self.vocabulary), CORPUS_WORDS, p=frequency / frequency.sum())
        ends = random.random(CORPUS_WORDS) < .08
        text = "".join(self.vocabulary[word] + (". " if end else " ")
                       for word, end in zip(words.tolist(), ends.tolist()))
        corpus = np.frombuffer(text.encode(), np.uint8)
        starts = np.flatnonzero(corpus == ord(" ")).astype(np.int64) + 1
        self.starts = starts[starts < len(corpus) - 256]
        pool = self._not_ascii(random)
        self.pool_lengths = np.array([len(entry) for entry in pool], np.int64)
        self.pool_starts = len(corpus) + np.concatenate([[0], np.cumsum(self.pool_lengths)[:-1]])
        self.bytes = np.concatenate([corpus, np.frombuffer(b"".join(pool), np.uint8)])

    @staticmethod
    def _vocabulary(random):
        consonants, vowels = np.array(list("bcdfghklmnprstvw")), np.array(list("aeiou"))

        def word(length):
            return "".join((consonants if i % 2 == 0 else vowels)[random.integers(16 if i % 2 == 0 else 5)]
                           for i in range(length))

        words = sorted({word(int(length)) for length in random.integers(2, 10, 24_000)})
        random.shuffle(words)
        return words[:VOCABULARY]

    def _not_ascii(self, random):
        characters, pool = list(NOT_ASCII), []
        for length in random.integers(BODY_BYTES_MIN, BODY_BYTES_MAX + 1, 60_000).tolist():
            text, size = [], 0
            while size < length - 12:
                word = self.vocabulary[int(random.integers(len(self.vocabulary)))]
                if random.random() < .5:
                    at = int(random.integers(len(word)))
                    word = word[:at] + characters[int(random.integers(len(characters)))] + word[at + 1:]
                encoded = (word + " ").encode()
                text.append(encoded)
                size += len(encoded)
            text.append("é".encode())
            pool.append(b"".join(text))
        return pool

    def bodies(self, random, rows):
        starts = self.starts[random.integers(0, len(self.starts), rows)]
        lengths = random.integers(BODY_BYTES_MIN, BODY_BYTES_MAX + 1, rows)
        kind = random.random(rows)
        not_ascii, quoted = kind < .05, (kind >= .05) & (kind < .08)
        entry = random.integers(0, len(self.pool_starts), rows)
        starts = np.where(not_ascii, self.pool_starts[entry], starts)
        lengths = np.where(not_ascii, self.pool_lengths[entry], lengths)
        offsets = np.zeros(rows + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        data = self.bytes[np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])]
        last = offsets[1:][~not_ascii] - 1
        data[last[data[last] == ord(" ")]] = ord(".")
        chosen = np.flatnonzero(quoted)
        for _ in range(2):
            at = offsets[:-1][chosen] + 1 + (random.random(len(chosen)) * (lengths[chosen] - 2)).astype(np.int64)
            data[at] = np.frombuffer(b',"\n', np.uint8)[random.integers(0, 3, len(chosen))]
        return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data))


def fixed_strings(characters):
    """An array of strings from a matrix of bytes, a row a string."""
    rows, width = characters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters)))


def uuids(random, rows):
    raw = random.integers(0, 256, (rows, 16), np.uint8)
    raw[:, 6] = (raw[:, 6] & 15) | 64
    raw[:, 8] = (raw[:, 8] & 63) | 128
    digits = HEXADECIMAL[raw].reshape(rows, 32)
    text = np.full((rows, 36), ord("-"), np.uint8)
    taken = 0
    for begin, end in ((0, 8), (9, 13), (14, 18), (19, 23), (24, 36)):
        text[:, begin:end] = digits[:, taken:taken + end - begin]
        taken += end - begin
    return fixed_strings(text)


def telephone_numbers(random, rows):
    text = np.empty((rows, 12), np.uint8)
    text[:, 0] = ord("+")
    text[:, 1:] = random.integers(ord("0"), ord("9") + 1, (rows, 11), np.uint8)
    text[:, 1] |= 1
    return fixed_strings(text)


def prices(random, rows):
    units = random.choice(PRICES, rows, p=[.4, .2, .15, .1, .1, .04, .01]) + random.integers(0, 3, rows)
    words = np.zeros((rows, 2), np.int64)
    words[:, 0] = units
    return pa.Array.from_buffers(pa.decimal128(10, 4), rows, [None, pa.py_buffer(words)])


def choices(random, values, probabilities, rows):
    indices = random.choice(len(values), rows, p=probabilities).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(indices), values)


def messages(texts, random, senders, day_start_us, rows):
    times = np.sort(random.integers(0, DAY_US, rows)) + day_start_us
    recipients = telephone_numbers(random, rows)
    price = prices(random, rows)
    return pa.table({
        "message_id": uuids(random, rows),
        "ts": pa.Array.from_buffers(pa.timestamp("us", "UTC"), rows, [None, pa.py_buffer(times)]),
        "sender": senders.take(pa.array(random.integers(0, len(senders), rows))),
        "recipient": recipients,
        "channel": choices(random, CHANNELS, [.7, .05, .2, .05], rows),
        "status": choices(random, STATUSES, [.9, .05, .03, .02], rows),
        "price": price,
        "body": texts.bodies(random, rows),
    })


def rows_of_days(random, rows, days):
    weights = random.uniform(.7, 1.3, days)
    counts = np.floor(rows * weights / weights.sum()).astype(int)
    counts[:rows - counts.sum()] += 1
    return counts


def write_organisation(options, texts, organisation):
    rows = options.big_rows
    if organisation != options.big_organisation:
        rows = (options.rows - options.big_rows) // (options.organisations - 1)
    random = np.random.default_rng([options.seed, organisation])
    counts = rows_of_days(random, rows, options.days)
    senders = pa.array(["%s%05d" % (word.upper()[:7].ljust(7, "X"), random.integers(99_999))
                        for word in random.choice(texts.vocabulary, 200)])
    for day, count in enumerate(counts):
        date = options.start + datetime.timedelta(days=day)
        midnight = datetime.datetime.combine(date, datetime.time(), datetime.timezone.utc)
        table = messages(texts, np.random.default_rng([options.seed, organisation, day]), senders,
                         int(midnight.timestamp()) * 1_000_000, int(count))
        partition = f"{options.out}/organisation={organisation}/day={date}"
        os.makedirs(partition, exist_ok=True)
        pq.write_table(table, f"{partition}/part-0.parquet", compression="zstd", compression_level=3,
                       row_group_size=options.row_group_rows)
    return int(counts.sum())


def start_process(options, texts):
    global write

    def write(organisation):
        return write_organisation(options, texts, organisation)


def write_in_process(organisation):
    return write(organisation)


def main():
    options = arguments()
    pa.set_cpu_count(1)
    texts = Texts(options.seed)
    organisations = range(1, options.organisations + 1)
    if options.only_organisation is not None:
        organisations = [options.only_organisation]
    # The big one first, so that the others fill up the second process.
    organisations = sorted(organisations, key=lambda organisation: organisation != options.big_organisation)
    with multiprocessing.get_context("fork").Pool(2, start_process, (options, texts)) as pool:
        print(sum(pool.imap_unordered(write_in_process, organisations)), "rows")


if __name__ == "__main__":
    main()
