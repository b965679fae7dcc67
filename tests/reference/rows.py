"""What is compared with reference implementations: a row of REFERENCES for each stored file.

That row is all there is to write of a net: its parameters and names are counted (COUNTED), and
those of timm's are written for timm (round_trip.py), by it too.

A row's key is the file's name, `<key>.npz`. TAPS says which module of the reference computes what
our net returns under a tap's name; its output is a map [B, C, H, W], [B, H, W, C] in Keras, or
features [B, C], or a class token and patches [B, 1 + N, C], of which the patches are kept. Of a
module whose output is a list, `stage4:0` is the first of it.
"""

import dataclasses

_MIXED = ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c')

TAPS = {
  'se_resnet': {
    'stem': 'act1', 'stage1': 'layer1', 'stage2': 'layer2', 'stage3': 'layer3',
    'stage4': 'layer4', 'features': 'global_pool'},
  'legacy_se_resnet': {
    'stem': 'layer0', 'stage1': 'layer1', 'stage2': 'layer2', 'stage3': 'layer3',
    'stage4': 'layer4', 'features': 'global_pool'},
  'inception': {
    'stem': 'Conv2d_4a_3x3', 'features': 'global_pool',
    **{f'mixed_{block}': f'Mixed_{block}' for block in _MIXED}},
  'inception_keras': {
    'stem': 'activation_4', 'features': 'avg_pool',
    **{f'mixed_{block}': f'mixed{number}' for number, block in enumerate(_MIXED)}},
  'efficientnet': {
    'stem': 'bn1', 'stage1': 'blocks.1', 'stage2': 'blocks.2', 'stage3': 'blocks.4',
    'stage4': 'blocks.6', 'features_2d': 'bn2', 'features': 'global_pool'},
  'keras_efficientnet_b1': {
    'stem': 'stem_activation', 'stage1': 'block2c_add', 'stage2': 'block3c_add',
    'stage3': 'block5d_add', 'stage4': 'block7b_add', 'features_2d': 'top_activation',
    'features': 'avg_pool'},
  'hrnet': {
    'stem': 'act2', 'stage1': 'layer1', 'features_2d': 'final_layer', 'features': 'global_pool',
    **{f'stage{stage}': f'stage{stage}:0' for stage in (2, 3, 4)},
    **{f'stage{stage}_branch{branch}': f'stage{stage}:{branch - 1}'
       for stage in (2, 3, 4) for branch in range(2, stage + 1)}},
  'hrnet_pose': {
    'stem': 'act2', 'stage1': 'layer1', 'features_2d': 'stage4:0',
    **{f'stage{stage}': f'stage{stage}:0' for stage in (2, 3, 4)},
    'stage2_branch2': 'stage2:1', 'stage3_branch2': 'stage3:1', 'stage3_branch3': 'stage3:2'},
  'convnext': {
    'stem': 'stem', 'stage1': 'stages.0', 'stage2': 'stages.1', 'stage3': 'stages.2',
    'stage4': 'stages.3', 'features': 'head.flatten'},
  'vit': {
    'stem': 'pos_drop', 'stage1': 'blocks.2', 'stage2': 'blocks.5', 'stage3': 'blocks.8',
    'stage4': 'blocks.11', 'features_2d': 'norm', 'features': 'head_drop'},
}


# The library in whose names a source's weights are: `authors` is HRNet's pose net, of timm's parts.
NAMES_OF = {'timm': 'timm', 'keras': 'keras', 'authors': 'timm'}


@dataclasses.dataclass(frozen=True)
class Reference:
  """One net on one batch of pictures."""

  variant: str  # ours
  model: str  # timm's, or the name in keras.applications; of authors, the trunk's in timm
  taps: dict  # tap -> the reference's module or layer
  gain: float  # see fill.py; chosen by looking at the spreads, which must be 0.1 to 10
  source: str = 'timm'  # of NAMES_OF
  size_px: int = 64
  batch: int = 2
  slow: bool = False  # more than ten seconds: not in the fast tests
  options: dict = dataclasses.field(default_factory=dict)  # of timm's create_model; heatmaps=K


REFERENCES = {
  'se_resnet18': Reference('se_resnet18', 'seresnet18', TAPS['se_resnet'], gain=1.0),
  'se_resnet50': Reference('se_resnet50', 'seresnet50', TAPS['se_resnet'], gain=1.0),
  'legacy_se_resnet18': Reference(
    'legacy_se_resnet18', 'legacy_seresnet18', TAPS['legacy_se_resnet'], gain=1.0),
  'legacy_se_resnet50': Reference(
    'legacy_se_resnet50', 'legacy_seresnet50', TAPS['legacy_se_resnet'], gain=1.0, size_px=66),
  'inception_v3': Reference(
    'inception_v3', 'inception_v3', TAPS['inception'], gain=1.6, size_px=139, slow=True),
  'inception_v3_aux': Reference(
    'inception_v3_aux', 'inception_v3', TAPS['inception'], gain=1.6, size_px=299, slow=True,
    options=dict(aux_logits=True)),
  'inception_v3_keras': Reference(
    'inception_v3_keras', 'InceptionV3', TAPS['inception_keras'], gain=1.6, source='keras',
    size_px=139),
  'efficientnet_b0': Reference(
    'efficientnet_b0', 'efficientnet_b0', TAPS['efficientnet'], gain=2.1, batch=4),
  'efficientnet_b1': Reference(
    'efficientnet_b1', 'efficientnet_b1', TAPS['efficientnet'], gain=1.95, batch=4, slow=True),
  'tf_efficientnet_b1': Reference(
    'tf_efficientnet_b1', 'tf_efficientnet_b1', TAPS['efficientnet'], gain=1.9, size_px=75,
    slow=True),
  'keras_efficientnet_b1': Reference(
    'tf_efficientnet_b1', 'EfficientNetB1', TAPS['keras_efficientnet_b1'], gain=1.8,
    source='keras', size_px=240, slow=True),
  'hrnet_w18_small': Reference(
    'hrnet_w18_small', 'hrnet_w18_small', TAPS['hrnet'], gain=0.6, size_px=96),
  'hrnet_w32': Reference(
    'hrnet_w32', 'hrnet_w32', TAPS['hrnet'], gain=0.3, size_px=96, slow=True),
  'hrnet_w18_small_pose': Reference(
    'hrnet_w18_small_pose', 'hrnet_w18_small', TAPS['hrnet_pose'], gain=0.6, source='authors',
    size_px=96, options=dict(heatmaps=17)),
  'convnext_tiny': Reference('convnext_tiny', 'convnext_tiny', TAPS['convnext'], gain=1.0),
  'convnext_small': Reference(
    'convnext_small', 'convnext_small', TAPS['convnext'], gain=1.0, slow=True),
  'vit_tiny_patch16': Reference(
    'vit_tiny_patch16', 'vit_tiny_patch16_224', TAPS['vit'], gain=1.0, size_px=96,
    options=dict(dynamic_img_size=True)),  # position embeddings are resized
  'vit_small_patch16': Reference(
    'vit_small_patch16', 'vit_small_patch16_224', TAPS['vit'], gain=1.0, size_px=224, slow=True),
}

# By source: our variant -> the model that equals it and its options; sizes and names are counted.
# First nets that are counted alone, then those of the rows above.
COUNTED = {
  'timm': {
    **{f'{ours}{depth}': (f'{theirs}{depth}', {}) for depth in (34, 101, 152)
       for ours, theirs in (('se_resnet', 'seresnet'), ('legacy_se_resnet', 'legacy_seresnet'))},
    **{f'{form}efficientnet_b{size}': (f'{form}efficientnet_b{size}', {})
       for form in ('', 'tf_') for size in range(8)},
    'hrnet_w48': ('hrnet_w48', {}),
    **{f'hrnet_{trunk}_backbone': (
         f'hrnet_{trunk}', dict(features_only=True, feature_location=''))
       for trunk in ('w18_small', 'w32', 'w48')},
    'convnext_base': ('convnext_base', {}),
    'vit_base_patch16': ('vit_base_patch16_224', {}),
  },
  'keras': {f'tf_efficientnet_b{size}': (f'EfficientNetB{size}', {}) for size in range(8)},
  'authors': {f'hrnet_{trunk}_pose': (f'hrnet_{trunk}', dict(heatmaps=17))
              for trunk in ('w32', 'w48')},
}
for _row in REFERENCES.values():
  COUNTED[_row.source][_row.variant] = (_row.model, _row.options)
