"""The pictures that a run leaves, each with what it shows."""

from train_lib.inspection.markup import Details, Picture, Section, joined, link, paragraph

SHEETS = ('predictions', 'best', 'worst', 'confident_wrong', 'mistakes', 'activation',
          'interpolation')
# Task -> a picture's name -> (title, what it shows); of every task under ''.
CAPTIONS = {
    '': {
        'curves': ('Learning curves.', 'Loss of training batches and of the validation split on '
                   'the left, figures of the validation split on the right, over the steps. '
                   'Dashed: the step whose net is reported.'),
        'predictions': ('Predictions.', 'The first pictures of the test split with what the net '
                        'says of them.'),
        'worst': ('Worst.', 'Pictures of the test split that the net is most wrong about.')},
    'tagging': {
        'predictions': ('Predictions.', 'The first test pictures with their tags and '
                        'probabilities: found, wrong and missed ones, by the key at its top.'),
        'best': ('Best.', 'Test pictures with the highest F1 of their own tags; of equal ones '
                 'those with most tags.'),
        'worst': ('Worst.', 'Test pictures with the lowest F1; of equal ones those with most '
                  'errors.'),
        'confident_wrong': ('Surest errors.', 'The most probable tags that are not listed, one a '
                            'picture. Many of them are true, and missing in the list.'),
        'precision_recall': ('Precision and recall.', 'Each category over all thresholds; dots: '
                             'the tuned one. Pale lines join what has the same F1.'),
        'f1_by_frequency': ('F1 by frequency.', 'Each dot is a tag: F1 on test pictures over the '
                            'training pictures that have it; the line is the running median.'),
        'tag_frequencies': ('Frequencies.', 'Training pictures that have a tag, by its rank.')},
    'classification': {
        'predictions': ('Predictions.', 'The first test pictures with their class and the most '
                        'probable ones.'),
        'mistakes': ('Mistakes.', 'The most confident mistakes of the test split, the most '
                     'confident first: some are wrong labels.'),
        'activation': ('Where it looks.', 'Where in a picture the class that is said is seen: red '
                       'most, grey not at all. First pictures, then mistakes.'),
        'confusion': ('Confusion.', 'Rows: the true class; columns: what the net says, as shares '
                      'of the row.'),
        'f1_by_class': ('F1 by class.', 'F1 of each class on the test split.'),
        'f1_by_frequency': ('F1 by frequency.', 'F1 of each class over the training pictures that '
                            'it has.'),
        'calibration': ('Calibration.', 'How often the net is right where it says so with this '
                        'probability; on the diagonal it is as sure as it should be.')},
    'pose': {
        'predictions': ('Predictions.', 'The first persons of the test split with the joints that '
                        'the net says: left ones blue, right ones orange; white rings are '
                        'labelled joints.'),
        'worst': ('Worst.', 'Persons of the test split with the lowest object keypoint '
                  'similarity.'),
        'joints': ('Joints.', 'The share of each joint that is found near enough, beside the mean '
                   'pose of all training persons.')},
    'autoencoding': {
        'predictions': ('Restored.', 'The first scans of the test split: as they are, as the net '
                        'saw them, restored by the net and by the best simple restorer, and the '
                        'error.'),
        'worst': ('Worst.', 'The scans of the test split with the lowest PSNR.'),
        'interpolation': ('Interpolation.', 'Walks through the latent space from one scan to '
                          'another; green frames: the scans as they are.'),
        'latent_map': ('Latent map.', 'Posterior means of test scans in the two directions in '
                       'which they differ most.'),
        'units': ('Latent units.', 'KL divergence of each unit, and how much its mean varies: '
                  'those that do not are not used.'),
        'reconstructions': ('Restored.', 'Scans of the validation split.')},
}


def pictures_section(folder, task: str, beside) -> Section | None:
  """All pictures of a run but its curves; None where there is none yet.

  Args: folder: the workdir; task: of the run; beside: folder of the page.
  """
  places = _names(folder / 'pictures')
  shown = [picture(path, task) for path in places if path.stem != 'curves']
  shown.sort(key=lambda one: (one.wide, _rank(one.path.stem, task)))
  parts = [*shown, *_steps(folder / 'pictures' / 'steps', task, beside)]
  return Section('pictures', 'Pictures', parts) if parts else None


def picture(path, task: str) -> Picture:
  """A picture of a run with its caption."""
  known = CAPTIONS[''] | CAPTIONS.get(task, {})
  title, caption = known.get(path.stem, (f'{path.stem.replace("_", " ").capitalize()}.', ''))
  return Picture(path, title, caption, wide=path.stem in SHEETS)


def _names(folder) -> list:
  """The pictures of a folder, by their names."""
  if not folder.is_dir():
    return []
  return sorted((path for path in folder.iterdir() if path.suffix == '.png'),
                key=lambda path: path.name)


def _rank(name, task):
  names = list(CAPTIONS.get(task, {}))
  return names.index(name) if name in names else len(names)


def _steps(folder, task, beside) -> list:
  """Pictures of the net while it learned: the first, the middle and the last steps."""
  if not folder.is_dir():
    return []
  steps = sorted((path for path in folder.iterdir() if path.name.isdecimal()),
                 key=lambda path: int(path.name))
  chosen = [steps[place] for place in sorted({0, len(steps) // 2, len(steps) - 1})] if steps else []
  parts = []
  for step in chosen:
    for path in _names(step):
      one = picture(path, task)
      parts.append(one._replace(title=f'Step {int(step.name):,}. {one.title}', wide=False))
  if not parts:
    return []
  rest = [paragraph(joined(f'{len(steps)} steps have pictures; the others are in ',
                           link(folder, beside), '.'), class_='note')] * (len(steps) > len(chosen))
  return [Details('While it learned', [*parts, *rest])]
