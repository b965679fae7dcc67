"""Which scans belong together, and which split they fall into: a patient is never parted."""

import re
from typing import NamedTuple

from data.content_splits import SPLITS, assign_splits
from data.scans.survey import Surveyed
from data.sources.pictures import digest_of
from errors import UserError

SUBJECT = re.compile(r'(?:^|/)(sub-[0-9A-Za-z]+)(?=[/_])')  # as BIDS names people
FEW = 5                           # names that a message lists


def group_of(scan: Surveyed) -> str:
  """The name of what a scan must not be parted from.

  The patient that the file tells, else the series; else the subject in a path as of BIDS, 'sub-01';
  else of a picture the folder that holds it, where that is not the folder of all, and of a volume
  the folder whose name it begins with ('P01/P01_t1.nii.gz', as of BraTS), or else the file.

  Source: of subjects, Gorgolewski et al., "The brain imaging data structure", Scientific Data,
    2016.
  """
  if scan.patient or scan.series:
    return scan.patient or scan.series
  subject = SUBJECT.search(scan.name)
  if subject:
    return subject[1]
  folder, _, file = scan.name.rpartition('/')
  holds_it = scan.format in ('png', 'tiff') or file.startswith(folder.rpartition('/')[2])
  return folder if folder and holds_it else scan.name


def find_groups(scans: list[Surveyed]) -> dict[str, str]:
  """{a scan's name: its group}; groups that hold copies of one file are one, by the first name."""
  leader = {}

  def lead(group):
    while leader.setdefault(group, group) != group:
      group = leader[group]
    return group

  holders = {}
  for scan in scans:
    one, other = sorted((lead(group_of(scan)), lead(holders.setdefault(scan.digest,
                                                                       group_of(scan)))))
    leader[other] = one
  return {scan.name: lead(group_of(scan)) for scan in scans}


class Grouped(NamedTuple):
  """Scans dealt out to splits."""

  split_of: dict[str, str]  # a scan's name -> its split
  group_of: dict[str, str]  # a scan's name -> its group
  groups: dict[str, list[str]]  # split -> its groups
  how: str  # it was done, in words


def split_scans(scans: list[Surveyed], told: dict[str, tuple], valid_frac: float,
                test_frac: float) -> Grouped:
  """Gives every scan the split of its group.

  Args:
    told: {'valid': groups, 'test': groups} of `config.data.scans`; a split of none is cut.
    valid_frac, test_frac: shares of all other groups that are cut.

  Raises:
    UserError: a name is of no group, or is told twice; shares that leave nothing.
  """
  group_by_name = find_groups(scans)
  groups = sorted(set(group_by_name.values()))
  given = _given_splits({**group_by_name, **{group_of(scan): group_by_name[scan.name]
                                             for scan in scans}}, groups, told)
  splits, _ = assign_splits({group: digest_of([group]) for group in groups}, given, valid_frac,
                            test_frac, 'name')
  split_of = {group: split for split, names in splits.items() for group in names}
  cut = {split: 0 if told[split] else frac
         for split, frac in (('valid', valid_frac), ('test', test_frac))}
  ways = [f'{split} as named' for split in SPLITS[1:] if told[split]]
  ways += [f'{frac:.0%} of the groups cut for {split}' for split, frac in cut.items() if frac]
  return Grouped({name: split_of[group] for name, group in group_by_name.items()}, group_by_name,
                 splits, ', '.join(ways) or 'nothing set apart')


def _given_splits(aliases, groups, told):
  """{group: split} of what is told. Args: aliases: name of a scan or a group -> its group."""
  given = {}
  for split, names in told.items():
    if isinstance(names, str):
      raise UserError(f"config.data.scans.{split}_groups is '{names}'; expected a tuple of names: "
                      f"('{names}',).")
    for name in names:
      if name not in aliases:
        raise UserError(f"config.data.scans.{split}_groups has {name!r}, which is none of the "
                        f'{len(groups):,} groups: {few_words(groups)}.')
      if given.setdefault(aliases[name], split) != split:
        raise UserError(f'{name!r} is both in config.data.scans.valid_groups and in test_groups.')
  return given


def few_words(names: list[str]) -> str:
  """The first few of many names."""
  more = f' and {len(names) - FEW:,} more' if len(names) > FEW else ''
  return ', '.join(repr(name) for name in names[:FEW]) + more
