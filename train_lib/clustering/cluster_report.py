"""What a cluster job leaves for a person: figures, a table of the pictures, plots, the gallery."""

from collections.abc import Callable

import numpy as np

from train_lib.clustering import cluster_plots, copies, gallery, grouping, labelling, quality
from train_lib.clustering.collection import Collection
from train_lib.clustering.map import place_on_map
from train_lib.drawing import plots
from train_lib.reporting import note_unreadable, say
from train_lib.storage import records

WRITTEN = ('clusters.json', 'clusters.csv', 'clusters.png', 'gallery.html', 'unreadable.jsonl',
           'number_of_clusters.csv', 'number_of_clusters.png')
MOST_COMPARED = 100_000           # pictures of which near-copies are looked for, pair by pair


def write_report(collection: Collection, names: dict[int, str], mesh,
                 poll: Callable[[], None]) -> None:
  """Measures the clusters and writes everything of WRITTEN; see `clustering.cluster_pictures`.

  Args:
    collection: grouped.
    names: of clusters.
    mesh: the devices.
    poll: called often; may raise to stop.
  """
  folder, settings = collection.folder, collection.config.cluster
  found = quality.silhouettes(
      collection.features, collection.clusters, spherical=grouping.is_spherical(settings),
      sample=settings.sample, seed=collection.config.seed)
  measured = measure(collection, found, mesh, poll)
  counts, facts = labelling.count_pictures(collection.clusters), _facts(measured)
  say(f'{len(counts):,} clusters of {min(counts.values(), default=0):,} to '
      f'{max(counts.values(), default=0):,} pictures; ' + ', '.join(map(' '.join, facts)))
  note_unreadable(folder / 'unreadable.jsonl', collection.unreadable)
  records.write_json(folder / 'clusters.json', {
      'pictures': len(collection.ids), 'unreadable': len(collection.unreadable),
      'clusters': len(counts), 'noise': int((collection.clusters < 0).sum()), **measured,
      'settings': settings.to_dict(), 'seed': collection.config.seed})
  labelling.write_clusters(folder / 'clusters.csv', collection, names)
  trials = collection.trials
  if trials:
    records.write_csv(folder / 'number_of_clusters.csv', trials[0]._fields, trials)
    plots.save(cluster_plots.numbers_plot(trials, len(counts), settings.choose_by),
               folder / 'number_of_clusters.png')
  plots.save(cluster_plots.sizes_plot(collection.clusters, found, names), folder / 'clusters.png')
  if settings.gallery:
    _write_gallery(collection, facts, names, poll)


def measure(collection: Collection, found: quality.Silhouettes, mesh,
            poll: Callable[[], None]) -> dict[str, float]:
  """The figures of the clusters; those of labels only where some are known."""
  settings = collection.config.cluster
  known = (collection.labels >= 0).any()
  measured = quality.measure(
      collection.features, collection.clusters, found,
      labels=collection.labels if known else None, spherical=grouping.is_spherical(settings))
  stability = grouping.stability_of(collection.features, len(collection.centres), settings,
                                    collection.config.seed, mesh, poll)
  return {**measured, 'stability': stability}


def _facts(measured) -> list[tuple[str, str]]:
  """(Title, value) of the figures that exist."""
  return [(quality.TITLES[key], f'{value:.3f}') for key, value in measured.items()
          if np.isfinite(value)]


def _write_gallery(collection, facts, names, poll) -> None:
  settings = collection.config.cluster
  size = len(collection.ids)
  groups = []
  if size <= MOST_COMPARED:
    groups = copies.find_copies(
        collection.features, how='features',
        least_similarity=collection.config.neighbours.least_similarity, poll=poll).groups
  labels = [collection.label_names[label] if label >= 0 else '' for label in collection.labels]
  say(f'drawing the gallery of {min(size, settings.gallery_most):,} pictures')
  gallery.write_gallery(
      collection.folder / 'gallery.html',
      gallery.Gallery(
          title=_title(collection), facts=facts, ids=collection.ids,
          clusters=collection.clusters, distances=collection.distances,
          places=place_on_map(np.asarray(collection.features), seed=collection.config.seed,
                              poll=poll),
          names=names, labels=labels if any(labels) else [], copies=groups),
      collection.read_pictures, most=settings.gallery_most, poll=poll)


def _title(collection) -> str:
  if collection.top is not None:
    return collection.top.name or str(collection.top)
  return collection.config.data.source
