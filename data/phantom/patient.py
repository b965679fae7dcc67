"""Who is drawn: a patient from (data_seed, split, number), and one of the patient's slices."""

import dataclasses

from data.dice import Dice
from data.phantom import vocabulary

MODALITY_WEIGHTS = {'mri_t1': 30, 'mri_t2': 26, 'mri_pd': 14, 'ct': 30}
CHEST_WINDOWS = {'soft_window': 48, 'lung_window': 45, 'bone_window': 7}
HEAD_WINDOWS = {'brain_window': 87, 'bone_window': 13}
STRIPPED_FRAC = 0.2  # of MRI
ILL_FRAC = 0.85  # of patients; of their slices, only those show it that the lesion reaches
LOWEST = {'head': 0.24, 'chest': 0.2}  # of slices with a lesion: over cerebellum and liver
LEAST_SHARE = 0.5  # a lesion cut above this share of its radius is told, and drawn


@dataclasses.dataclass(frozen=True)
class Patient:
  """What all slices of a patient have in common."""

  name: str  # names streams of choices
  number: int  # unlike that of any patient of any split
  part: str  # of vocabulary.PARTS
  modality: str  # of vocabulary.MODALITIES
  window: str  # of vocabulary.WINDOWS, '' for MRI
  contrast: bool
  stripped: bool  # MRI of a head of which only the brain was kept
  woman: bool
  age: float  # 0 young ... 1 old
  illness: str  # of vocabulary.FINDINGS
  lesion_height: float  # 0 the lowest slice ... 1 the highest
  lesion_reach: float  # in the same measure

  def dice(self, *what) -> Dice:
    """Choices that belong to the patient, the same in all slices."""
    return Dice(self.name, *what)


@dataclasses.dataclass(frozen=True)
class Slice:
  """One slice of a patient."""

  patient: Patient
  rank: int  # 0 ... SLICES_PER_PATIENT - 1, upwards
  height: float  # 0 ... 1
  finding: str  # the patient's illness where the slice shows it, else 'clear'
  lesion_share: float  # in-plane size of the lesion here, of its largest; 0: none

  @property
  def name(self) -> str:
    return f'{self.patient.name}/{self.rank}'

  def dice(self, *what) -> Dice:
    """Choices that belong to this slice alone."""
    return Dice(self.name, *what)


def sample_patient(data_seed: int, split: str, count: int) -> Patient:
  """Patient `count` of a split."""
  name = f'phantom/{data_seed}/{split}/{count}'
  dice = Dice(name, 'who')
  part = dice.weighted({'head': 58, 'chest': 42})
  modality = dice.weighted(MODALITY_WEIGHTS)
  injected, woman = dice.chance(0.5), dice.chance(0.5)
  age, cut = dice.between(0, 1), dice.chance(STRIPPED_FRAC)
  ill, kind = dice.chance(ILL_FRAC), dice.count(0, 2)
  windows = CHEST_WINDOWS if part == 'chest' else HEAD_WINDOWS
  window = dice.weighted(windows)
  modality = 'ct' if part == 'chest' else modality
  contrast = injected and modality in ('ct', 'mri_t1')  # elsewhere it changes nothing here
  findings = vocabulary.HEAD_FINDINGS if part == 'head' else vocabulary.CHEST_FINDINGS
  hidden = modality == 'ct' and window == 'bone_window'  # nothing but bone can be told apart
  illness = findings[kind] if ill and not hidden else 'clear'
  low, high = {'effusion': (0.1, 0.35), 'consolidation': (0.2, 0.75), 'nodule': (0.2, 0.85)}.get(
      illness, (0.42, 0.8))
  reach = dice.between(0.22, 0.4) if part == 'head' else dice.between(0.24, 0.42)
  return Patient(
      name=name, number=3 * count + vocabulary.SPLITS.index(split), part=part, modality=modality,
      window=window if modality == 'ct' else '', contrast=contrast, woman=woman, age=age,
      stripped=cut and modality != 'ct',
      illness=illness, lesion_height=dice.between(low, high), lesion_reach=reach)


def sample_slice(data_seed: int, split: str, index: int) -> Slice:
  """Slice `index` of a split: it depends on nothing else."""
  count, rank = divmod(index, vocabulary.SLICES_PER_PATIENT)
  patient = sample_patient(data_seed, split, count)
  height = (rank + patient.dice('height', rank).between(0.1, 0.9)) / vocabulary.SLICES_PER_PATIENT
  share = 0.0
  if patient.illness != 'clear':
    off = (height - patient.lesion_height) / patient.lesion_reach
    share = max(0.0, 1 - off * off) ** 0.5
  shown = share > LEAST_SHARE and (
      height > LOWEST[patient.part] or patient.illness == 'effusion')
  return Slice(patient=patient, rank=rank, height=height, lesion_share=share if shown else 0.0,
               finding=patient.illness if shown else 'clear')
