"""An index in a sentence: what was found, how it was split, what was left out and what is amiss."""

from collections import Counter
from pathlib import Path

from data.batch import TAG_CATEGORIES
from data.board.problems import USELESS, WORDS
from data.content_splits import SPLITS

_LEFT_OUT = {
    'deleted': 'of deleted posts', 'banned': 'of banned posts',
    'no picture': 'of posts that are no pictures', 'untagged': 'without any tag',
    'thin': 'with fewer general tags than config.data.board.min_general_tags ({least})',
    'sampled': 'beyond config.data.board.num_pictures'}


def describe_index(builder, choice, used, problems_path: Path) -> str:
  """The sentence for the log. Args: as `building.Builder` has them; where the problems' list is."""
  counted = Counter(choice.categories)
  tags = ', '.join(f'{counted[name]:,} {name}' for name in TAG_CATEGORIES if counted[name])
  tags = f'{len(choice.names):,} tags ({tags})' if tags else 'no tag'
  pictures = ', '.join(f'{name} {size:,}' for name, size in zip(SPLITS, used.sizes, strict=True))
  used_words = f'{sum(used.sizes):,} pictures with {tags}; {pictures} ({_how(builder)})'
  phrases = [f"'{builder.pictures.folder}' ({builder.found.words}): "
             + (used_words if sum(used.sizes) else 'no picture is used')]
  left_out = [f'{count:,} {_LEFT_OUT[why]}'.format(least=builder.settings.min_general_tags)
              for why, count in builder.left_out.items() if count]
  if left_out:
    phrases.append(f'left out: {", ".join(left_out)}')
  if builder.config_data.implications != 'listed':
    phrases.append('what listed tags entail was added to the training pictures')
  amiss = [f'{count:,} {WORDS[kind]}' for kind, count in builder.problems.counts.items() if count]
  if amiss:
    phrases.append(f'amiss: {", ".join(amiss)}, listed in {problems_path}')
  return '; '.join(phrases)


def _how(builder):
  data = builder.config_data
  cuts = ' and '.join(f'{share:.0%} for {name}' for name, share in
                      (('valid', data.valid_frac), ('test', data.test_frac)) if share)
  rule = 'the number of the post' if data.board.split == 'id' else 'content'
  return f'{cuts or "nothing"} set apart by {rule}'


def describe_useless(meta: dict) -> str:
  """How many records cannot be used, by kind, with an example of each."""
  return ', '.join(f'{meta["problems"][kind]:,} {WORDS[kind]} (such as {meta["examples"][kind]})'
                   for kind in USELESS if meta['problems'][kind])
