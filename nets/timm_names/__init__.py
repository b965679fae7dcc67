"""What timm calls our variables; a file for each family that it has, or has a part of."""

from nets.timm_names import convnext, efficientnet, hrnet, inception, se_resnet, vae, vit

FAMILIES = {
  'se_resnet': se_resnet,
  'inception': inception,
  'efficientnet': efficientnet,
  'hrnet': hrnet,
  'convnext': convnext,
  'vit': vit,
  'vae': vae,
}
