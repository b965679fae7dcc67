"""How other libraries name and lay out the weights of a net: what reads their files asks here."""

import dataclasses
import functools
from collections.abc import Callable

from nets import NETS, keras_names, timm_names
from nets.keras_names import layout as keras_layout
from nets.timm_names import layout as timm_layout


@dataclasses.dataclass(frozen=True)
class WeightNames:
  """One library's view of one net.

  Attributes:
    library: 'timm' or 'keras'.
    model: what the library calls this net; '' where it has only others of the family, or none.
    to_key: names of a variable without its collection, ('stage1_block1', 'conv1', 'kernel'), -> the
      library's key.
    to_array, from_array: (those names, array) -> the array in the library's layout, in ours.
    resize: {own name of a parameter: what makes one of another size of pictures fit}.
    get_pixels: (mean, variance) that a file of weights holds -> (mean, std) of pixels in 0..255
      that its net was trained with; None where files say nothing of it.
  """
  library: str
  model: str
  to_key: Callable
  to_array: Callable
  from_array: Callable
  get_pixels: Callable | None = None
  resize: dict = dataclasses.field(default_factory=dict)


def get_weight_names(variant):
  """Returns {'timm': WeightNames, 'keras': WeightNames}, without 'keras' where it lacks the net.

  Nets that timm does not have, such as a pose net, are named as their family there, so that they
  can take over the parts that they share with it. A family that it does not have at all keeps our
  names, in timm's layout: files of it are read here alone.
  """
  found = {}
  for family in (name for name, module in NETS.items() if variant in module.VARIANTS):
    theirs = timm_names.FAMILIES.get(family)
    model, to_timm = '', timm_layout.to_own_key
    if theirs:
      model, to_timm = theirs.TIMM_NAMES.get(variant, ''), functools.partial(
        theirs.to_timm, variant)
    found['timm'] = WeightNames(
      'timm', model, to_timm, timm_layout.to_timm_array, timm_layout.from_timm_array,
      resize=getattr(NETS[family], 'RESIZE', {}))
    theirs = keras_names.FAMILIES.get(family)
    if variant in (*getattr(theirs, 'KERAS_NAMES', ()), *getattr(theirs, 'PARTS', ())):
      found['keras'] = WeightNames(
        'keras', theirs.KERAS_NAMES.get(variant, ''), functools.partial(theirs.to_keras, variant),
        keras_layout.to_keras_array, keras_layout.from_keras_array,
        getattr(theirs, 'get_pixel_constants', None))
  return found
